-- As in 0002: `pt migrate down` has refused, or emptied the table as told, before any step ran. What
-- a consumer that still runs has added since would lose its new columns here.
DO $$
BEGIN
    LOCK TABLE rejects IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM rejects) THEN
        RAISE EXCEPTION 'rejects came in while migrating down: stop pt-consumer, then try again';
    END IF;
END
$$;
DROP TABLE redrives, redriven_counts, producer_hours, reject_hours, status_classes;
DROP INDEX rejects_service_reason_idx, rejects_reason_idx, rejects_partition_idx,
    rejects_request_id_idx, rejects_redriven_idx;
ALTER TABLE rejects
    DROP COLUMN sqlstate,
    DROP COLUMN produced_at,
    DROP COLUMN redriven_at;
