ALTER TABLE rejects RESET (
    autovacuum_vacuum_scale_factor, toast.autovacuum_vacuum_scale_factor);
ALTER TABLE payload_ids RESET (
    autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE payloads RESET (
    autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);

-- The body of 0003.
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
    EXECUTE format(
        'ALTER TABLE payload_statuses ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        name, lower, upper);
END
$$;

DROP FUNCTION expire_rejects(bigint[], timestamptz, integer);
DROP FUNCTION expire_payloads(bigint[], timestamptz, integer);
DROP FUNCTION first_status_day();
DROP TABLE ownerless_ids;
DROP TABLE expired_partitions;
