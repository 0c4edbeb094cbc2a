use super::{
    Archive, ConfigError, Database, Environment, Fuse, Http, Ingest, Kafka, Kibana, Metrics,
    Retention, rules,
};
use crate::status::Rules;

/// What `pt-api` works with.
#[derive(Clone, Debug)]
pub struct Api {
    pub http: Http,
    /// The primary, for what must not lag behind.
    pub database: Database,
    /// `DATABASE_READ_URL` (none): a replica that answers everything else.
    pub replica: Option<Database>,
    pub archive: Archive,
    pub kibana: Kibana,
}

impl Api {
    /// # Errors
    ///
    /// On the first setting that is wrong.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let database = Database::load(env)?;
        Ok(Self {
            http: Http::load(env)?,
            replica: database.replica(env)?,
            database,
            archive: Archive::load(env)?,
            kibana: Kibana::load(env)?,
        })
    }
}

/// What `pt-consumer` works with.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub kafka: Kafka,
    pub database: Database,
    pub ingest: Ingest,
    pub fuse: Fuse,
    pub rules: Rules,
    pub retention: Retention,
    pub metrics: Metrics,
    /// `DEBUG_LOG_STATUS_JSON` (false): log every message as it comes. They hold customers' ids.
    pub log_messages: bool,
}

impl Consumer {
    /// # Errors
    ///
    /// On the first setting that is wrong.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            kafka: Kafka::load(env)?,
            database: Database::load(env)?,
            ingest: Ingest::load(env)?,
            fuse: Fuse::load(env)?,
            rules: rules(env)?,
            retention: Retention::load(env)?,
            metrics: Metrics::load(env)?,
            log_messages: env.setting("DEBUG_LOG_STATUS_JSON").one_of(
                "false",
                &[("true", true), ("false", false), ("1", true), ("0", false)],
            )?,
        })
    }
}
