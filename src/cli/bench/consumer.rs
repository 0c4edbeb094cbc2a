//! The consumer that is measured.

use super::database::Database;
use super::service::Service;
use super::topic::Topic;
use crate::cli::Failure;

/// Starts a pt-consumer on the topic, in the topic's group.
///
/// # Errors
///
/// As [`Service::start`].
pub(super) fn start(topic: &Topic, database: &Database) -> Result<Service, Failure> {
    let envs = [
        ("TOPIC_PAYLOAD_STATUS", topic.kafka.topic.as_str()),
        ("KAFKA_GROUP_ID", topic.kafka.group_id.as_str()),
        ("KAFKA_AUTO_OFFSET_RESET", "earliest"),
        // What was filled in stays: dropping weeks of it is not what is measured.
        ("RETENTION_DAYS", "100000"),
    ];
    Service::start("pt-consumer", database, envs)
}
