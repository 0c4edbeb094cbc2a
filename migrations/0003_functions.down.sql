-- Functions with the effect of the Go tracker's: days in the session's time zone, partitions known
-- by name, seven indexes a partition.
DROP FUNCTION attach_partition(timestamptz, timestamptz);
DROP FUNCTION status_partitions();

CREATE OR REPLACE FUNCTION get_date_string(value timestamptz) RETURNS text
    LANGUAGE plpgsql
AS $$
BEGIN
    RETURN to_char(value, 'YYYYMMDD');
END
$$;

CREATE OR REPLACE FUNCTION create_partition(start timestamptz, stop timestamptz) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    name text := 'partition_' || get_date_string(start) || '_' || get_date_string(stop);
    indexed text;
BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF payload_statuses FOR VALUES FROM (%L) TO (%L)',
        name, start, stop);
    EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (id)', name || '_id_idx', name);
    FOREACH indexed IN ARRAY
        ARRAY['payload_id', 'service_id', 'source_id', 'status_id', 'date', 'created_at']
    LOOP
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (%I)',
            name || '_' || indexed || '_idx', name, indexed);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION drop_partition(start timestamptz, stop timestamptz) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I',
        'partition_' || get_date_string(start) || '_' || get_date_string(stop));
END
$$;
