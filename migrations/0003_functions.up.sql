-- The Go tracker's functions took days from the session's time zone and made seven indexes a
-- partition. Jobs call them, so names, arguments and results stay.
-- Each function pins its time zone: days are UTC days whoever asks.

CREATE OR REPLACE FUNCTION get_date_string(value timestamptz) RETURNS text
    LANGUAGE sql STABLE
    SET TimeZone = 'UTC'
AS $$ SELECT to_char(value, 'YYYYMMDD') $$;

-- Every partition with its bounds as the catalogue has them. A partition's name proves nothing:
-- the Go tracker's job made partitions whose days began at its own midnight.
-- (A default partition has no bounds and is not listed.)
CREATE FUNCTION status_partitions(
    OUT partition regclass, OUT lower timestamptz, OUT upper timestamptz
) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET TimeZone = 'UTC'
    SET DateStyle = 'ISO, YMD'
AS $$
    SELECT child.oid::regclass,
           replace(trim('''' FROM bound[1]), 'MINVALUE', '-infinity')::timestamptz,
           replace(trim('''' FROM bound[2]), 'MAXVALUE', 'infinity')::timestamptz
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    CROSS JOIN regexp_match(
        pg_get_expr(child.relpartbound, child.oid),
        '^FOR VALUES FROM \((.+)\) TO \((.+)\)$') AS bound
    WHERE inhparent = 'public.payload_statuses'::regclass AND bound IS NOT NULL
$$;

-- Makes one partition. It is created alone and then attached, since that, unlike
-- CREATE TABLE .. PARTITION OF, lets everybody go on reading and writing the other partitions.
-- The new table is empty, so nothing is scanned. Attaching makes its indexes.
CREATE FUNCTION attach_partition(lower timestamptz, upper timestamptz) RETURNS void
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
    EXECUTE format(
        'ALTER TABLE payload_statuses ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        name, lower, upper);
END
$$;

-- Sees to it that every UTC day that the range touches lies in some partition. What already has
-- one is left alone, also where a partition covers a day in part: then only the rest is made.
-- The advisory lock is the one that pt-consumer takes, so that two callers make a day once.
CREATE OR REPLACE FUNCTION create_partition(start timestamptz, stop timestamptz) RETURNS void
    LANGUAGE plpgsql
    SET TimeZone = 'UTC'
    SET search_path = public, pg_temp
AS $$
DECLARE
    day timestamptz := date_trunc('day', start);
    next_day timestamptz;
    edge timestamptz;
    taken record;
BEGIN
    PERFORM pg_advisory_xact_lock(8097887111620944897);
    WHILE day < stop LOOP
        next_day := day + interval '1 day';
        edge := day;
        FOR taken IN
            SELECT lower, upper FROM status_partitions()
            WHERE upper > day AND lower < next_day ORDER BY lower
        LOOP
            IF taken.lower > edge THEN
                PERFORM attach_partition(edge, taken.lower);
            END IF;
            edge := taken.upper;
        END LOOP;
        IF edge < next_day THEN
            PERFORM attach_partition(edge, next_day);
        END IF;
        day := next_day;
    END LOOP;
END
$$;

-- Drops each partition that ends within the range (its end included), so that a job which calls
-- this once a day gets rid of every partition once, whatever time zone it was made in, and never
-- of a row from `stop` on.
CREATE OR REPLACE FUNCTION drop_partition(start timestamptz, stop timestamptz) RETURNS void
    LANGUAGE plpgsql
    SET search_path = public, pg_temp
AS $$
DECLARE
    expired regclass;
BEGIN
    PERFORM pg_advisory_xact_lock(8097887111620944897);
    FOR expired IN
        SELECT partition FROM status_partitions() WHERE upper > start AND upper <= stop
    LOOP
        EXECUTE format('DROP TABLE %s', expired);
    END LOOP;
END
$$;
