-- A large batch is written by two sessions at once, one for the payloads of odd request ids, one for
-- the others. The odd one commits first, with its own offset here; the other then commits the lane's.
-- Below next_offset no message of an odd request id is to be stored any more; those of them that are
-- rejects are `rejected`, since a message may be none when it is read again. Only a crash between the two
-- commits leaves this ahead of consumer_offsets.next_offset; it may lie behind at any time.
-- Whoever locks rows of both tables locks those of this one first.
CREATE TABLE odd_offsets (
    topic varchar NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    rejected bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (topic, partition),
    FOREIGN KEY (topic, partition) REFERENCES consumer_offsets ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 50);

INSERT INTO odd_offsets (topic, partition, next_offset)
SELECT topic, partition, next_offset FROM consumer_offsets;

-- Whoever stores where a lane starts, or sends it back, by hand as well, does so for the odd messages too.
CREATE FUNCTION follow_consumer_offset() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO odd_offsets (topic, partition, next_offset)
    VALUES (NEW.topic, NEW.partition, NEW.next_offset)
    ON CONFLICT (topic, partition) DO UPDATE
       SET next_offset = least(odd_offsets.next_offset, excluded.next_offset);
    RETURN NULL;
END
$$;

CREATE TRIGGER begun AFTER INSERT ON consumer_offsets
    FOR EACH ROW EXECUTE FUNCTION follow_consumer_offset();
CREATE TRIGGER sent_back AFTER UPDATE ON consumer_offsets
    FOR EACH ROW WHEN (NEW.next_offset < OLD.next_offset) EXECUTE FUNCTION follow_consumer_offset();
