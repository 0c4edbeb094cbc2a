-- Lanes that stopped because most of their last messages were rejected. A row is the last time
-- this happened to a lane; the lane is stopped until the cooldown is over or somebody released it.
CREATE TABLE fuses (
    topic varchar NOT NULL,
    partition integer NOT NULL,
    blown_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    seen bigint NOT NULL,
    rejected bigint NOT NULL,
    detail text NOT NULL,
    released_at timestamptz,
    released_by varchar,
    PRIMARY KEY (topic, partition)
);
