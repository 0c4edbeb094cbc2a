-- The Go tracker kept three unique indexes on each name and two on each id.
ALTER TABLE services DROP CONSTRAINT IF EXISTS idx_services_name;
ALTER TABLE sources DROP CONSTRAINT IF EXISTS idx_sources_name;
ALTER TABLE statuses DROP CONSTRAINT IF EXISTS idx_statuses_name;
DROP INDEX IF EXISTS
    services_id_idx, services_name_idx,
    sources_id_idx, sources_name_idx,
    statuses_id_idx, statuses_name_idx;
