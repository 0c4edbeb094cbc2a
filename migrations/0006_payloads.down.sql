ALTER TABLE payloads
    DROP COLUMN first_day,
    DROP COLUMN last_day,
    ALTER COLUMN created_at SET DEFAULT timezone('utc', now()),
    RESET (fillfactor);
