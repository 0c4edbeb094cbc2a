-- What explain, failures and stuck answer from; pt-consumer's learning job writes it, pt-api reads.
-- Services and sources by their ids, 0 for no source. No foreign keys, as elsewhere.

-- Hours of payloads (by created_at) whose statuses were read. touched: what producer_hours had
-- counted of the hour by then, so that it is read again when more came.
CREATE TABLE learnt_hours (
    hour timestamptz PRIMARY KEY,
    computed_at timestamptz NOT NULL,
    payloads bigint NOT NULL,
    touched bigint NOT NULL
);

-- Of each hour and step: payloads that were there, and how long it took those that it ended for: a
-- histogram as pairs of bucket and count.
CREATE TABLE step_hours (
    hour timestamptz NOT NULL,
    service_id integer NOT NULL,
    source_id integer NOT NULL,
    passed bigint NOT NULL,
    took integer[] NOT NULL,
    PRIMARY KEY (hour, service_id, source_id)
);

-- Of each hour and two steps of which payloads entered one after the other: how long they waited.
CREATE TABLE follower_hours (
    hour timestamptz NOT NULL,
    service_id integer NOT NULL,
    source_id integer NOT NULL,
    next_service_id integer NOT NULL,
    next_source_id integer NOT NULL,
    wait integer[] NOT NULL,
    PRIMARY KEY (hour, service_id, source_id, next_service_id, next_source_id)
);

-- The hours of the last 7 days added up, written anew each time, at once: one row that says of what,
-- and the tables that explain reads. Milliseconds.
CREATE TABLE learnt (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    computed_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    payloads bigint NOT NULL
);
CREATE TABLE step_statistics (
    service_id integer NOT NULL,
    source_id integer NOT NULL,
    passed bigint NOT NULL,
    ended bigint NOT NULL,
    p50 bigint,
    p95 bigint,
    PRIMARY KEY (service_id, source_id)
);
CREATE TABLE follower_statistics (
    service_id integer NOT NULL,
    source_id integer NOT NULL,
    next_service_id integer NOT NULL,
    next_source_id integer NOT NULL,
    passed bigint NOT NULL,
    followed bigint NOT NULL,
    p50 bigint NOT NULL,
    p95 bigint NOT NULL,
    PRIMARY KEY (service_id, source_id, next_service_id, next_source_id)
);

-- Failures by fingerprint, first and last seen by the statuses' date.
CREATE TABLE failures (
    service_id integer NOT NULL,
    fingerprint bigint NOT NULL,
    text varchar NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (service_id, fingerprint)
);
CREATE INDEX failures_last_seen_idx ON failures (last_seen);

-- Of each minute of the statuses' date. A payload counts where it first failed so, thus once; orgs
-- and examples are of the payloads that count, orgs at most 1,000, examples request ids, at most 3.
CREATE TABLE failure_minutes (
    minute timestamptz NOT NULL,
    service_id integer NOT NULL,
    fingerprint bigint NOT NULL,
    payloads bigint NOT NULL,
    orgs varchar[] NOT NULL,
    examples varchar[] NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (minute, service_id, fingerprint)
);
CREATE INDEX failure_minutes_fingerprint_idx ON failure_minutes (service_id, fingerprint, minute);

-- How many statuses of failure a minute had when it was read: it is read again when it has more.
CREATE TABLE failure_counts (
    minute timestamptz PRIMARY KEY,
    statuses bigint NOT NULL
);

-- Up to where hours were looked through for such minutes; touched as in learnt_hours.
CREATE TABLE failure_hours (
    hour timestamptz PRIMARY KEY,
    touched bigint NOT NULL
);

-- The highest payload id at some moments: payloads are looked at in the order of their ids, once they
-- are old enough, since by then all of that id are committed.
CREATE TABLE payload_marks (
    at timestamptz PRIMARY KEY,
    payload_id bigint NOT NULL
);

-- Up to which payload they were looked at.
CREATE TABLE payload_walk (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    payload_id bigint NOT NULL
);

-- Payloads that had not come to an end when they were last looked at; due_at: by when 95 % would have
-- come to the step that is stuck before, or ended there; none while they are not stuck.
CREATE TABLE open_payloads (
    payload_id bigint PRIMARY KEY,
    looked_at timestamptz NOT NULL,
    service_id integer,
    source_id integer,
    is_before boolean,
    since timestamptz,
    due_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX open_payloads_looked_at_idx ON open_payloads (looked_at);
CREATE INDEX open_payloads_due_at_idx ON open_payloads (due_at) WHERE due_at IS NOT NULL;
