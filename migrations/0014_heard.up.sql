-- Up to when statuses were looked through, by the time of storing, for payloads that had been looked at
-- before: one that was at an end may have gone on since.
ALTER TABLE payload_walk ADD COLUMN heard timestamptz;
