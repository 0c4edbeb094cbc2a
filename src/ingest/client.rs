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

/// A member of the group that decides itself where each lane starts and when it is committed.
pub fn consumer_config(kafka: &Kafka) -> ClientConfig {
    let mut config = client_config(kafka);
    config
        .set("group.id", &kafka.group_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that the log does not hold is for us to settle, never a jump.
        .set("auto.offset.reset", "error")
        // Only the lanes that move are let go.
        .set("partition.assignment.strategy", "cooperative-sticky")
        // A consumer that died is replaced after 10 s; heartbeats come from librdkafka's own thread.
        .set("session.timeout.ms", "10000")
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
