//! Sends messages to the topic and waits for what became of each.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig,
};
use rdkafka::{ClientConfig, ClientContext};
use thiserror::Error;

use super::{Failure, stdout};
use crate::config;
use crate::ingest::client::{LastError, client_config};

/// How long the first answer of a broker may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a message may wait for its delivery report, retries included.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// What a broker takes by default: a little over 1 MiB.
pub const MAX_MESSAGE_BYTES: usize = 1_048_588;

#[derive(Debug, Error)]
pub enum SendError {
    #[error("the settings of Kafka are refused")]
    Settings(#[source] KafkaError),
    #[error(
        "no Kafka broker answers at {bootstrap} within {} s (KAFKA_BOOTSTRAP_SERVERS){reason}",
        CONNECT_TIMEOUT.as_secs()
    )]
    Away { bootstrap: String, reason: String },
}

/// What became of the messages so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub delivered: u64,
    pub failed: u64,
    /// Why the first one failed.
    first_failure: Option<String>,
    /// A message ran out of time: the cluster takes nothing any more.
    cut_off: bool,
}

impl Outcome {
    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }

    /// Says on stdout how many were delivered, and where.
    ///
    /// # Errors
    /// Not all of them were.
    pub fn report(self, kafka: &config::Kafka) -> Result<(), Failure> {
        let delivered = self.delivered;
        let (topic, brokers) = (&kafka.topic, &kafka.bootstrap_servers);
        let line = format!(
            "delivered {delivered} {} to {topic} at {brokers}",
            messages(delivered)
        );
        stdout::print(&line).ok();
        self.all_delivered()
    }

    /// # Errors
    /// Not all of them were.
    pub fn all_delivered(self) -> Result<(), Failure> {
        let failed = self.failed;
        let Some(why) = self.first_failure else {
            return Ok(());
        };
        let rest = if self.cut_off {
            ", what came after them was not sent"
        } else {
            ""
        };
        Err(Failure::work(format!(
            "{failed} {} failed{rest}; the first because: {why}",
            messages(failed)
        )))
    }
}

fn messages(count: u64) -> &'static str {
    if count == 1 { "message" } else { "messages" }
}

/// A connected producer. Its methods block; its queue is bounded.
pub struct Producer {
    inner: BaseProducer<Reports>,
    topic: String,
}

impl Producer {
    /// # Errors
    /// librdkafka refuses the settings, or no broker answers within ten seconds.
    pub fn connect(kafka: &config::Kafka) -> Result<Self, SendError> {
        Self::connect_with(kafka, client_config(kafka))
    }

    /// A producer that sends as many small ones do: each message to a partition by chance, in record
    /// batches of at most 16 KiB. By default librdkafka sends a run of them to one partition, in up to 1 MB.
    ///
    /// # Errors
    /// As [`Producer::connect`].
    pub fn connect_as_many(kafka: &config::Kafka) -> Result<Self, SendError> {
        let mut config = client_config(kafka);
        config
            .set("sticky.partitioning.linger.ms", "0")
            .set("batch.size", "16384");
        Self::connect_with(kafka, config)
    }

    fn connect_with(kafka: &config::Kafka, mut config: ClientConfig) -> Result<Self, SendError> {
        let inner: BaseProducer<Reports> = config
            // A retry must neither double a message nor change the order.
            .set("enable.idempotence", "true")
            .set("queue.buffering.max.messages", "20000")
            .set("queue.buffering.max.kbytes", "32768")
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            .set(
                "message.timeout.ms",
                DELIVERY_TIMEOUT.as_millis().to_string(),
            )
            .create_with_context(Reports::default())
            .map_err(SendError::Settings)?;
        if inner
            .client()
            .fetch_metadata(Some(&kafka.topic), CONNECT_TIMEOUT)
            .is_err()
        {
            inner.poll(POLL);
            let reason = inner.context().last_error.get();
            return Err(SendError::Away {
                bootstrap: kafka.bootstrap_servers.clone(),
                reason: reason.map_or(String::new(), |reason| format!(": {reason}")),
            });
        }
        Ok(Self {
            inner,
            topic: kafka.topic.clone(),
        })
    }

    /// Queues one message; while the queue is full, waits for room.
    pub fn send(&self, value: &[u8]) {
        self.send_keyed(None, value);
    }

    /// The same; messages of one key go to one partition.
    pub fn send_keyed(&self, key: Option<&[u8]>, value: &[u8]) {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic).payload(value);
        record.key = key;
        loop {
            match self.inner.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    self.inner.poll(POLL);
                }
                Err((error, _)) => {
                    self.refuse(error.to_string());
                    break;
                }
            }
        }
        self.inner.poll(Duration::ZERO);
    }

    /// Counts a message that cannot be sent as failed.
    pub fn refuse(&self, why: String) {
        self.inner.context().outcome().fail(why);
    }

    /// Whether a message ran out of time, so that sending more makes no sense.
    pub fn is_cut_off(&self) -> bool {
        self.inner.context().outcome().cut_off
    }

    pub fn outcome(&self) -> Outcome {
        self.inner.context().outcome().clone()
    }

    /// Waits until every queued message is delivered or has failed, at most as long as one
    /// message may take. Where one ran out of time, the others fail with it.
    pub fn finish(self) -> Outcome {
        if self.is_cut_off() {
            self.inner.purge(PurgeConfig::default().queue().inflight());
        }
        while self.inner.in_flight_count() > 0 {
            self.inner.poll(POLL);
        }
        self.outcome()
    }
}

/// Collects the delivery reports.
#[derive(Default)]
struct Reports {
    outcome: Mutex<Outcome>,
    last_error: LastError,
}

impl Reports {
    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn error(&self, error: KafkaError, reason: &str) {
        self.last_error.note(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut outcome = self.outcome();
        match result {
            Ok(_) => outcome.delivered += 1,
            Err((error, _)) => {
                outcome.cut_off |=
                    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut);
                outcome.fail(error.to_string());
            }
        }
    }
}
