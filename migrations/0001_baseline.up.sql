-- For an empty database: what the Go tracker's schema and ours have in common.
-- A new database then takes the same steps as one that is taken over, so that both end alike.
-- schema_migrations is golang-migrate's: it stays, so that a Go tracker that is started by mistake
-- finds its version and leaves the tables alone.
CREATE TABLE schema_migrations (
    version bigint PRIMARY KEY,
    dirty boolean NOT NULL
);
INSERT INTO schema_migrations VALUES (1, false);

CREATE SEQUENCE services_id_seq AS integer;
CREATE TABLE services (
    id integer NOT NULL DEFAULT nextval('services_id_seq') CONSTRAINT services_pkey PRIMARY KEY,
    name varchar NOT NULL CONSTRAINT services_name_key UNIQUE
);
ALTER SEQUENCE services_id_seq OWNED BY services.id;

CREATE SEQUENCE sources_id_seq AS integer;
CREATE TABLE sources (
    id integer NOT NULL DEFAULT nextval('sources_id_seq') CONSTRAINT sources_pkey PRIMARY KEY,
    name varchar NOT NULL CONSTRAINT sources_name_key UNIQUE
);
ALTER SEQUENCE sources_id_seq OWNED BY sources.id;

CREATE SEQUENCE statuses_id_seq AS integer;
CREATE TABLE statuses (
    id integer NOT NULL DEFAULT nextval('statuses_id_seq') CONSTRAINT statuses_pkey PRIMARY KEY,
    name varchar NOT NULL CONSTRAINT statuses_name_key UNIQUE
);
ALTER SEQUENCE statuses_id_seq OWNED BY statuses.id;

CREATE SEQUENCE payloads_id_seq;
CREATE TABLE payloads (
    id bigint NOT NULL DEFAULT nextval('payloads_id_seq') CONSTRAINT payloads_pkey PRIMARY KEY,
    request_id varchar NOT NULL CONSTRAINT payloads_request_id_key UNIQUE,
    account varchar,
    inventory_id varchar,
    system_id varchar,
    created_at timestamptz NOT NULL DEFAULT now(),
    org_id varchar
);
ALTER SEQUENCE payloads_id_seq OWNED BY payloads.id;

CREATE SEQUENCE payload_statuses_id_seq;
CREATE TABLE payload_statuses (
    id bigint NOT NULL DEFAULT nextval('payload_statuses_id_seq'),
    payload_id bigint NOT NULL,
    service_id integer NOT NULL,
    source_id integer,
    status_id integer NOT NULL,
    status_msg varchar,
    date timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payload_statuses_pkey PRIMARY KEY (id, date)
) PARTITION BY RANGE (date);
ALTER SEQUENCE payload_statuses_id_seq OWNED BY payload_statuses.id;
