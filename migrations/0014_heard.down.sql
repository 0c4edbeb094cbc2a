ALTER TABLE payload_walk DROP COLUMN heard;
