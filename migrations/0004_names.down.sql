ALTER TABLE services ADD CONSTRAINT idx_services_name UNIQUE (name);
ALTER TABLE sources ADD CONSTRAINT idx_sources_name UNIQUE (name);
ALTER TABLE statuses ADD CONSTRAINT idx_statuses_name UNIQUE (name);
CREATE UNIQUE INDEX services_id_idx ON services (id);
CREATE UNIQUE INDEX services_name_idx ON services (name);
CREATE UNIQUE INDEX sources_id_idx ON sources (id);
CREATE UNIQUE INDEX sources_name_idx ON sources (name);
CREATE UNIQUE INDEX statuses_id_idx ON statuses (id);
CREATE UNIQUE INDEX statuses_name_idx ON statuses (name);
