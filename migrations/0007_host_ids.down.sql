DROP TABLE IF EXISTS host_ids_progress;
DROP TRIGGER IF EXISTS go_tracker_inserted ON payloads;
DROP TRIGGER IF EXISTS go_tracker_updated ON payloads;
DROP FUNCTION IF EXISTS follow_go_tracker();
DROP FUNCTION IF EXISTS host_id(varchar);
