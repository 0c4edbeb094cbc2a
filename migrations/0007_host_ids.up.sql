-- A host id in the form that pt-consumer stores: a UUID, dashed or not, becomes dashed and
-- lower-case; the nil UUID, '' and what is too long for a message become NULL; other text stays.
CREATE OR REPLACE FUNCTION host_id(value varchar) RETURNS varchar
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN value = '' OR length(value) > 255 THEN NULL
        WHEN value ~ '^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$'
            THEN nullif(value::uuid, '00000000-0000-0000-0000-000000000000')::varchar
        ELSE value
    END
$$;

-- While a deployment rolls, consumers of the Go tracker still write, beside this migration and after
-- it, and know neither payload_ids nor first_day. Before each status they upsert its payload with
-- SET request_id = .., which pt-consumer never does, and a payload they make has no first_day, which
-- one of pt-consumer's always has: by that they are told from it, and its writes fire nothing.
-- What they name is kept, and a payload they touch may have statuses on any day.
CREATE OR REPLACE FUNCTION follow_go_tracker() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO payload_ids (kind, value, payload_id)
    SELECT kind, value, NEW.id
    FROM (VALUES (1::smallint, host_id(NEW.inventory_id)), (2::smallint, host_id(NEW.system_id)))
        AS named (kind, value)
    WHERE value IS NOT NULL
    ON CONFLICT DO NOTHING;
    UPDATE payloads SET first_day = NULL, last_day = NULL
    WHERE id = NEW.id AND first_day IS NOT NULL;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS go_tracker_inserted ON payloads;
CREATE TRIGGER go_tracker_inserted AFTER INSERT ON payloads
    FOR EACH ROW WHEN (NEW.first_day IS NULL)
    EXECUTE FUNCTION follow_go_tracker();
DROP TRIGGER IF EXISTS go_tracker_updated ON payloads;
CREATE TRIGGER go_tracker_updated AFTER UPDATE OF request_id ON payloads
    FOR EACH ROW
    EXECUTE FUNCTION follow_go_tracker();

-- How far the rows of before are done. CREATE TRIGGER has waited for every open write and holds
-- off new ones until the commit, so each row is either up to last_id or seen by a trigger.
CREATE TABLE IF NOT EXISTS host_ids_progress (done_id bigint NOT NULL, last_id bigint NOT NULL);
INSERT INTO host_ids_progress (done_id, last_id)
SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM payloads
HAVING NOT EXISTS (SELECT FROM host_ids_progress);
