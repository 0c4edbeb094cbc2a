-- Every host id (kind 1: inventory_id, 2: system_id) ever named for a payload, in canonical form.
-- No foreign key: it would cost more than the row itself.
CREATE TABLE payload_ids (
    kind smallint NOT NULL,
    value varchar NOT NULL,
    payload_id bigint NOT NULL,
    PRIMARY KEY (value, kind, payload_id)
);
-- For deleting a payload's ids with it.
CREATE INDEX payload_ids_payload_id_idx ON payload_ids (payload_id);

-- fillfactor: each batch updates its lanes' rows, and room in the page keeps those updates HOT.
CREATE TABLE consumer_offsets (
    topic varchar NOT NULL,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    stored bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    gap bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition),
    CONSTRAINT consumer_offsets_accounting
        CHECK (stored + rejected + skipped = next_offset - first_offset)
) WITH (fillfactor = 50);

CREATE TABLE rejects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic varchar NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    value bytea,
    reason varchar NOT NULL,
    detail text NOT NULL,
    service varchar,
    request_id varchar,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rejects_received_at_idx ON rejects (received_at);
