-- first_day, last_day: the first and last UTC day of a payload's statuses. NULL is "look
-- everywhere"; rows of the Go tracker keep it for good, so that none need be rewritten.
-- fillfactor: a payload's row is updated with each batch that names it; room in the page keeps
-- that update HOT. It holds for pages written from now on.
ALTER TABLE payloads
    ADD COLUMN first_day date,
    ADD COLUMN last_day date,
    ALTER COLUMN id SET DEFAULT nextval('payloads_id_seq'),
    ALTER COLUMN created_at SET DEFAULT now(),
    SET (fillfactor = 85);

-- Old installations made it an integer sequence.
ALTER SEQUENCE payloads_id_seq AS bigint;
