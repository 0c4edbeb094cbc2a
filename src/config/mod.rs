//! Settings: one struct a concern.
//!
//! Each value comes from the first of these that has it: its environment variable (an empty one
//! counts as not set), the Clowder file that `ACG_CONFIG` names, the default. What came from
//! where is kept by [`crate::config::Environment`] for `--check-config`.

mod archive;
mod authority;
mod clowder;
mod database;
mod database_url;
mod environment;
mod error;
mod fuse;
mod http;
mod ingest;
mod kafka;
mod kafka_membership;
mod kafka_security;
mod kibana;
mod log;
mod process;
mod rate_limit;
mod retention;
mod rules;
mod setting;
#[cfg(test)]
mod tests;

pub use archive::{Archive, Requestor};
pub use authority::Authority;
pub use database::{Database, SslMode};
pub use environment::Environment;
pub use error::{ConfigError, Origin};
pub use fuse::Fuse;
pub use http::{Http, Metrics};
pub use ingest::Ingest;
pub use kafka::{Kafka, OffsetReset};
pub use kafka_membership::{AssignmentStrategy, Membership};
pub use kafka_security::{ClientCertificate, Sasl, SaslMechanism, SecurityProtocol};
pub use kibana::Kibana;
pub use log::Log;
pub use process::{Api, Consumer};
pub use rate_limit::RateLimit;
pub use retention::Retention;
pub use rules::rules;
