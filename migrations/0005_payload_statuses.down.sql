-- A status whose payload is gone: with the Go tracker's foreign key it would have gone with it.
DELETE FROM payload_statuses AS orphan
WHERE NOT EXISTS (SELECT FROM payloads WHERE payloads.id = orphan.payload_id);

-- Each partition has its primary key already (0008), so that this only ties them together.
ALTER TABLE payload_statuses
    DROP COLUMN origin_partition,
    DROP COLUMN origin_offset,
    ALTER COLUMN date SET DEFAULT timezone('utc', now()),
    ALTER COLUMN created_at SET DEFAULT timezone('utc', now()),
    ADD CONSTRAINT payload_statuses_pkey PRIMARY KEY (id, date),
    ADD CONSTRAINT payload_statuses_payload_id_fkey
        FOREIGN KEY (payload_id) REFERENCES payloads (id) ON DELETE CASCADE,
    ADD CONSTRAINT payload_statuses_service_id_fkey
        FOREIGN KEY (service_id) REFERENCES services (id),
    ADD CONSTRAINT payload_statuses_source_id_fkey
        FOREIGN KEY (source_id) REFERENCES sources (id),
    ADD CONSTRAINT payload_statuses_status_id_fkey
        FOREIGN KEY (status_id) REFERENCES statuses (id);
