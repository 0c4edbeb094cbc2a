//! How this program's Kafka clients are set up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};

use crate::config::Kafka;

/// What every client of the cluster shares: where it is and how to be let in.
pub fn client_config(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in kafka.client_properties() {
        config.set(name, value);
    }
    config
        .set("client.id", "payload-tracker")
        // A broker behind a load balancer that forgets idle connections is noticed.
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "2000");
    config
}

/// A client that asks about the group without being a member of it.
pub fn asker_config(kafka: &Kafka) -> ClientConfig {
    let mut config = client_config(kafka);
    config
        .set("group.id", &kafka.group_id)
        .set("enable.auto.commit", "false");
    config
}

/// A member of the group that decides itself where each lane starts and when it is committed.
pub fn member_config(kafka: &Kafka) -> ClientConfig {
    let mut config = asker_config(kafka);
    let membership = &kafka.membership;
    if let Some(id) = &membership.instance_id {
        config.set("group.instance.id", id);
    }
    config
        .set("enable.auto.offset.store", "false")
        // An offset that the log does not hold is for us to settle, never a jump.
        .set("auto.offset.reset", "error")
        .set(
            "partition.assignment.strategy",
            membership.strategy.as_str(),
        )
        // Heartbeats come from librdkafka's own thread.
        .set(
            "session.timeout.ms",
            membership.session_timeout.as_millis().to_string(),
        )
        // Members hear of a rebalance with their next heartbeat, and a lane that moves waits for all of them, twice
        // by the cooperative protocol. In a rolling restart lanes paused 1.5 s; with the usual 3 s, 3.5 s.
        .set("heartbeat.interval.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        // By default 64 MiB of values, which with 300 bytes each need as much again around them.
        .set("queued.max.messages.kbytes", "12288")
        .set("fetch.max.bytes", "8388608")
        .set("receive.message.max.bytes", "16777216")
        // By default 1 MiB, which is some thousand messages of one lane at a time: statuses of one payload,
        // spread over the lanes, then end in different batches, each of which updates the payload anew.
        // One larger message still passes.
        .set("max.partition.fetch.bytes", "65536")
        // By default a full queue is looked at again after a second, in which it ran dry.
        .set("fetch.queue.backoff.ms", "10");
    config
}

/// Why brokers could not be reached, in librdkafka's words. The calls that fail say only that they
/// did; the reason comes by a callback when the client is polled, and is not repeated for half a
/// minute while it stays the same.
#[derive(Debug, Default)]
pub struct LastError(Mutex<Option<String>>);

impl LastError {
    pub fn note(&self, error: &KafkaError, reason: &str) {
        // Follows each broker's own error and says less.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.reason() = Some(reason.to_owned());
        }
    }

    pub fn forget(&self) {
        *self.reason() = None;
    }

    /// The last reason since it was forgotten.
    pub fn get(&self) -> Option<String> {
        self.reason().clone()
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for LastError {
    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::consumer::{BaseConsumer, DefaultConsumerContext};
    use rdkafka::error::KafkaResult;

    use super::*;
    use crate::config::{AssignmentStrategy, Environment, Membership};

    #[test]
    fn librdkafka_takes_every_membership_there_can_be() {
        let env = Environment::new([].into()).unwrap();
        let defaults = Kafka::load(&env).unwrap();
        for strategy in [
            AssignmentStrategy::CooperativeSticky,
            AssignmentStrategy::Range,
            AssignmentStrategy::RoundRobin,
        ] {
            for (id, seconds) in [(None, 6), (Some("pod-0".to_owned()), 300)] {
                let membership = Membership {
                    strategy,
                    instance_id: id.clone(),
                    session_timeout: Duration::from_secs(seconds),
                };
                let kafka = Kafka {
                    membership,
                    ..defaults.clone()
                };
                let config = member_config(&kafka);
                assert_eq!(config.get("group.instance.id"), id.as_deref());
                let member: KafkaResult<BaseConsumer> =
                    config.create_with_context(DefaultConsumerContext);
                member.unwrap();
            }
        }
    }
}
