-- `pt migrate down` has refused, or emptied the table as told, before any step ran.
-- A consumer that is still running may have added one since: losing it needs a second word.
DO $$
BEGIN
    LOCK TABLE rejects IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM rejects) THEN
        RAISE EXCEPTION 'rejects came in while migrating down: stop pt-consumer, then try again';
    END IF;
END
$$;
DROP TABLE rejects, consumer_offsets, payload_ids;
