-- What pt-consumer's upkeep needs in the database: partitions ahead, and what has expired gone.

-- Partitions on their way out, noted before they are detached: a crash between detaching and
-- dropping leaves a table that nothing but its name would tell from somebody's own.
CREATE TABLE expired_partitions (
    relid oid PRIMARY KEY,
    name varchar NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);

-- Deleted payloads that named more hosts than one step deletes.
CREATE TABLE ownerless_ids (payload_id bigint PRIMARY KEY);

-- The UTC day before which payload_statuses can hold no row. A default partition may hold any.
CREATE FUNCTION first_status_day() RETURNS date
    LANGUAGE sql STABLE
    SET TimeZone = 'UTC'
    SET search_path = public, pg_temp
AS $$
    SELECT CASE
        WHEN partdefid <> 0 THEN '-infinity'
        ELSE coalesce((SELECT min(lower) FROM status_partitions())::date, 'infinity')
    END
    FROM pg_partitioned_table WHERE partrelid = 'payload_statuses'::regclass
$$;

-- Deletes those of the candidates that have expired by `cutoff`, midnight of a UTC day, with their
-- host ids, of which at most `most`; and how long it held its locks.
-- In one call, so that no slow or frozen client holds them.
CREATE FUNCTION expire_payloads(
    candidates bigint[], cutoff timestamptz, most integer,
    OUT deleted bigint, OUT dependents bigint, OUT seconds double precision
)
    LANGUAGE plpgsql
    SET TimeZone = 'UTC'
    SET search_path = public, pg_temp
AS $$
DECLARE
    begun timestamptz := clock_timestamp();
    statuses_from date;
    locked bigint[];
    gone bigint[];
BEGIN
    -- Who writes a status has locked its payload until the commit, changed or not (ON CONFLICT DO
    -- UPDATE locks before its WHERE). Such a payload is not waited for: it is no longer expired.
    SELECT array_agg(id) INTO locked FROM (
        SELECT id FROM payloads WHERE id = ANY (candidates) FOR UPDATE SKIP LOCKED
    ) AS free;
    -- Statements of their own, and so with a snapshot of their own: whatever was committed for
    -- these payloads before they were locked is seen, and nothing more can be until they are gone.
    statuses_from := first_status_day();
    -- OFFSET 0: looked up by payload, never hashed, which would read every partition.
    WITH expired AS (
        DELETE FROM payloads AS p
        WHERE id = ANY (locked)
          AND (last_day < cutoff::date OR last_day IS NULL AND created_at < cutoff)
          AND (last_day < statuses_from OR NOT EXISTS (
              SELECT FROM payload_statuses AS s WHERE s.payload_id = p.id OFFSET 0))
        RETURNING id
    )
    SELECT coalesce(array_agg(id), '{}') INTO gone FROM expired;
    deleted := cardinality(gone);
    DELETE FROM payload_ids WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM payload_ids WHERE payload_id = ANY (gone) LIMIT most));
    GET DIAGNOSTICS dependents = ROW_COUNT;
    IF dependents >= most THEN
        INSERT INTO ownerless_ids
        SELECT DISTINCT payload_id FROM payload_ids WHERE payload_id = ANY (gone);
    END IF;
    seconds := extract(epoch FROM clock_timestamp() - begun);
END
$$;

-- The same for rejects and the trace of their redrives. One that is being redriven stays.
CREATE FUNCTION expire_rejects(
    candidates bigint[], cutoff timestamptz, most integer,
    OUT deleted bigint, OUT dependents bigint, OUT seconds double precision
)
    LANGUAGE plpgsql
    SET search_path = public, pg_temp
AS $$
DECLARE
    begun timestamptz := clock_timestamp();
    locked bigint[];
BEGIN
    SELECT array_agg(id) INTO locked FROM (
        SELECT id FROM rejects
        WHERE id = ANY (candidates) AND received_at < cutoff FOR UPDATE SKIP LOCKED
    ) AS free;
    DELETE FROM redrives WHERE reject_id = ANY (locked);
    GET DIAGNOSTICS dependents = ROW_COUNT;
    DELETE FROM rejects WHERE id = ANY (locked);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    seconds := extract(epoch FROM clock_timestamp() - begun);
END
$$;

-- As in 0003, but where somebody made a default partition that holds rows of the day, the day is
-- covered by that one: a new partition could not be attached, and the rows have their place.
CREATE OR REPLACE FUNCTION attach_partition(lower timestamptz, upper timestamptz) RETURNS void
    LANGUAGE plpgsql
    SET TimeZone = 'UTC'
    SET search_path = public, pg_temp
AS $$
DECLARE
    name text := format('partition_%s_%s', get_date_string(lower),
        get_date_string(date_trunc('day', lower) + interval '1 day'));
BEGIN
    -- The name is taken by a partition that was made in another time zone.
    IF to_regclass(name) IS NOT NULL THEN
        name := name || to_char(lower, '_HH24MISS');
    END IF;
    EXECUTE format(
        'CREATE TABLE %I (LIKE payload_statuses INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
        name);
    BEGIN
        EXECUTE format(
            'ALTER TABLE payload_statuses ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, lower, upper);
    EXCEPTION WHEN check_violation THEN
        EXECUTE format('DROP TABLE %I', name);
        RAISE WARNING 'the default partition holds rows from % on: no partition was made', lower;
    END;
END
$$;

-- Each night deletes as many payloads as a day brings: an eighth, with 7 days of retention. The
-- server's default would let a fifth die before a vacuum; with these the room of one night's dead
-- rows is free again for the next day's, and the planner hears of them.
ALTER TABLE payloads SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE payload_ids SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- A thirtieth a night; their raw bytes lie beside the table.
ALTER TABLE rejects SET (
    autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
