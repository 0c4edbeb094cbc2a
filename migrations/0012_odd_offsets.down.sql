DROP TRIGGER sent_back ON consumer_offsets;
DROP TRIGGER begun ON consumer_offsets;
DROP FUNCTION follow_consumer_offset();
DROP TABLE odd_offsets;
