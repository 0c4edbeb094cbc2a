-- What is needed to look for rejects, to send them through again, and to say whose they are.
-- The columns are nullable and without default: no row is rewritten.
ALTER TABLE rejects
    ADD COLUMN sqlstate varchar(5),
    ADD COLUMN produced_at timestamptz,
    ADD COLUMN redriven_at timestamptz;

-- One a way of asking, each ending in the order of the answer. Without the id: rejects of one batch
-- share received_at, so that equal keys become one entry, and a batch's rejects go to few pages.
-- NULLS LAST, which nothing here needs, keeps the planner from walking rejects_received_at_idx for
-- the few rejects of a service that fell silent long ago: asked for in this order, it cannot.
CREATE INDEX rejects_service_reason_idx
    ON rejects (service, reason, received_at DESC NULLS LAST);
CREATE INDEX rejects_reason_idx ON rejects (reason, received_at DESC NULLS LAST);
CREATE INDEX rejects_partition_idx ON rejects (partition, received_at DESC NULLS LAST);
CREATE INDEX rejects_request_id_idx ON rejects (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX rejects_redriven_idx ON rejects (received_at) WHERE redriven_at IS NOT NULL;

-- Who sent a reject through again, when, with which bytes if not its own, and what became of it:
-- 'stored', or the reason for which it was rejected once more. No foreign key, as elsewhere:
-- retention deletes both.
CREATE TABLE redrives (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reject_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    by varchar NOT NULL,
    edited bytea,
    outcome varchar NOT NULL,
    detail text
);
CREATE INDEX redrives_reject_id_idx ON redrives (reject_id);

-- How many rejects of a topic-partition are stored by now. Apart from consumer_offsets, whose
-- counters say what consumption did, and outliving the rejects themselves.
CREATE TABLE redriven_counts (
    topic varchar NOT NULL,
    partition integer NOT NULL,
    redriven bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- What each service sent, by hour. The consumer counts up to skew within its batches; the rest is
-- found out once the hour is over, and again when something came late: stale is what came since.
-- touched: how often it was counted, so that who judges notices what comes meanwhile.
-- fillfactor: each batch updates the rows of its hour, and room in the page keeps that HOT.
CREATE TABLE producer_hours (
    hour timestamptz NOT NULL,
    service varchar NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    missing_org_id bigint NOT NULL DEFAULT 0,
    skew bigint[] NOT NULL DEFAULT '{}',
    touched bigint NOT NULL DEFAULT 1,
    began bigint,
    unended bigint,
    duplicates bigint,
    unknown_statuses jsonb,
    judged_at timestamptz,
    stale boolean NOT NULL DEFAULT true,
    PRIMARY KEY (hour, service)
) WITH (fillfactor = 30);
CREATE INDEX producer_hours_stale_idx ON producer_hours (hour) WHERE stale;

CREATE TABLE reject_hours (
    hour timestamptz NOT NULL,
    service varchar NOT NULL,
    reason varchar NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (hour, service, reason)
) WITH (fillfactor = 50);

-- What a status name means. An operator may add names; one that is not listed counts as progress,
-- and as unknown in the report on producers.
CREATE TABLE status_classes (
    status varchar PRIMARY KEY,
    class varchar NOT NULL CHECK (class IN ('progress', 'success', 'failure'))
);
INSERT INTO status_classes VALUES
    ('success', 'success'), ('processed', 'success'), ('processing_success', 'success'),
    ('successful', 'success'),
    ('error', 'failure'), ('failed', 'failure'), ('failure', 'failure'),
    ('processing_error', 'failure'), ('invalid', 'failure'), ('rejected', 'failure'),
    ('received', 'progress'), ('processing', 'progress'), ('advertised', 'progress');
