//! The consumer from start to end: waits for the database and the topic, then runs the thread
//! that reads and the tasks that write and locate.

use std::io::ErrorKind;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use sea_orm::sqlx::{self, PgPool};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::broker::Broker;
use super::client;
use super::consumer::{Channels, ConsumeError, Consumer, Setup};
use super::context::GroupContext;
use super::health::{Health, Task};
use super::locate::Locator;
use super::locating::Locating;
use super::pauses::Pauses;
use super::watching;
use super::writing::Writing;
use crate::config::{Database, Fuse, Ingest, Kafka, OffsetReset};
use crate::status::Rules;
use crate::store::failure::{self, Failure};
use crate::store::session::{self, Role};
use crate::store::writer::{Limits, Writer};
use crate::telemetry::metrics::ConsumerMetrics;

/// How often a missing topic is looked for.
const TOPIC_INTERVAL: Duration = Duration::from_secs(2);

/// How often it is said that it is missing.
const TOPIC_REMINDER: Duration = Duration::from_secs(60);

/// How often the client tells how long the logs are, milliseconds.
const STATISTICS_INTERVAL: &str = "5000";

/// Why the consumer ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error("the database refuses the consumer's start: {0}{hint}", hint = hint(.0))]
    Start(#[source] sqlx::Error),
    #[error("no TLS session with the database: {0} (DB_SSLMODE, DB_CA)")]
    Tls(#[source] sqlx::Error),
    #[error("a part of the consumer broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// What usually is the matter, where the server's words leave that open.
fn hint(error: &sqlx::Error) -> &'static str {
    match failure::sqlstate(error).as_deref() {
        // undefined column, undefined table
        Some("42703" | "42P01") => "; is it migrated (`pt migrate up`)?",
        Some("25006") => "; is it a replica (DB_HOST, DATABASE_URL)?",
        _ => "",
    }
}

/// What the consumer works with.
#[derive(Clone)]
pub struct Pipeline {
    pub kafka: Kafka,
    pub rules: Rules,
    pub limits: Ingest,
    pub fuse: Fuse,
    /// Where the pool's sessions lead.
    pub database: Database,
    pub pool: PgPool,
    pub metrics: Arc<ConsumerMetrics>,
    pub health: Health,
    /// Whether every message is logged as it comes.
    pub log_messages: bool,
}

impl Pipeline {
    /// Consumes until `stop`; what is open then is handed in first.
    ///
    /// # Errors
    ///
    /// Kafka, or the database at the start, refused something that no retry mends. Nothing is half
    /// done: the next start goes on where the stored offsets are.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let broker = Arc::new(Broker::new(&self.kafka)?);
        let Some(reset) = self.await_parts(&broker, &stop).await? else {
            return Ok(());
        };
        let (batches, closed) = unbounded_channel();
        let (locate, wanted) = watch::channel(Vec::new());
        let (report, reports) = mpsc::channel();
        let channels = Channels {
            batches,
            locate,
            reports,
        };
        let mut reading = self.read(channels, stop.clone())?;
        let locating = Locating {
            locator: Locator {
                broker,
                pool: self.pool.clone(),
                topic: self.kafka.topic.clone(),
                reset,
            },
            health: self.health.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        let writing = Writing {
            writer: self.writer(),
            metrics: Arc::clone(&self.metrics),
            health: self.health.clone(),
            answer_timeout: self.database.answer_timeout(),
        };
        // The thread ends when told to, and with it what the tasks work for.
        tokio::select! {
            read = &mut reading => return Ok(read??),
            () = writing.run(closed, report.clone()) => {}
            () = locating.run(wanted, report.clone()) => {}
            () = watching::run(self.pool.clone(), self.kafka.topic.clone(), report) => {}
        }
        stop.cancel();
        Ok(reading.await??)
    }

    fn writer(&self) -> Writer {
        let limits = Limits {
            max_names: self.limits.max_names,
            fuse: self.fuse,
        };
        Writer::new(self.pool.clone(), self.kafka.topic.clone(), limits)
    }

    /// Waits until database, topic and group are there; `None` when stopped meanwhile. A topic that had
    /// to be waited for is read from its beginning.
    async fn await_parts(
        &self,
        broker: &Arc<Broker>,
        stop: &CancellationToken,
    ) -> Result<Option<OffsetReset>, RunError> {
        let parts = async {
            self.await_database().await?;
            let waited = self.await_topic(broker).await?;
            self.await_group(broker).await?;
            Ok(if waited {
                OffsetReset::Earliest
            } else {
                self.kafka.auto_offset_reset
            })
        };
        tokio::select! {
            reset = parts => reset.map(Some),
            () = stop.cancelled() => Ok(None),
        }
    }

    async fn await_database(&self) -> Result<(), RunError> {
        let mut pauses = Pauses::new();
        loop {
            let asked = timeout(self.database.answer_timeout(), self.ask_database()).await;
            match asked.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()))) {
                Ok(()) => {
                    self.health.database_back(Task::Starting);
                    return Ok(());
                }
                Err(error) if failure::classify(&error) != Failure::Stalled => {
                    warn!(%error, "waiting for the database");
                    self.health.database_away(Task::Starting, error.to_string());
                    pauses.wait().await;
                }
                Err(error @ sqlx::Error::Tls(_)) => return Err(RunError::Tls(error)),
                Err(error) => return Err(RunError::Start(error)),
            }
        }
    }

    async fn ask_database(&self) -> Result<(), sqlx::Error> {
        session::choose_authority(&self.pool, &self.database, Role::Consumer).await?;
        Writer::rehearse(&self.pool, &self.kafka.topic).await
    }

    /// True if the topic was not there at once.
    async fn await_topic(&self, broker: &Arc<Broker>) -> Result<bool, RunError> {
        let mut waited = false;
        let mut said: Option<Instant> = None;
        loop {
            let asked = Arc::clone(broker);
            match tokio::task::spawn_blocking(move || asked.partitions()).await? {
                Ok(Some(_)) => {
                    self.health.topic_found();
                    return Ok(waited);
                }
                Ok(None) => {
                    waited = true;
                    self.health.topic_missing();
                    if said.is_none_or(|said| said.elapsed() >= TOPIC_REMINDER) {
                        said = Some(Instant::now());
                        warn!(topic = self.kafka.topic, "waiting for the topic to be made");
                    }
                }
                Err(error) => {
                    warn!(%error, "waiting for Kafka");
                    self.health.kafka_away(&error.to_string());
                }
            }
            sleep(TOPIC_INTERVAL).await;
        }
    }

    /// A coordinator that is still being made or loaded refuses the first join, and librdkafka then waits 3 s
    /// before the next.
    async fn await_group(&self, broker: &Arc<Broker>) -> Result<(), RunError> {
        let mut pauses = Pauses::new();
        loop {
            let asked = Arc::clone(broker);
            match tokio::task::spawn_blocking(move || asked.ask_group()).await? {
                Ok(()) => {
                    self.health.topic_found();
                    return Ok(());
                }
                Err(error) => {
                    warn!(%error, group = self.kafka.group_id, "waiting for the group");
                    self.health.kafka_away(&error.to_string());
                }
            }
            pauses.wait().await;
        }
    }

    /// Starts the thread that drives the Kafka client.
    fn read(
        &self,
        channels: Channels,
        stop: CancellationToken,
    ) -> Result<JoinHandle<Result<(), ConsumeError>>, KafkaError> {
        let setup = Setup {
            client: client::member_config(&self.kafka)
                .set("statistics.interval.ms", STATISTICS_INTERVAL)
                .create_with_context(GroupContext::default())?,
            topic: self.kafka.topic.clone(),
            membership: self.kafka.membership.clone(),
            rules: self.rules.clone(),
            limits: self.limits,
            metrics: Arc::clone(&self.metrics),
            health: self.health.clone(),
            log_messages: self.log_messages,
        };
        Ok(tokio::task::spawn_blocking(move || {
            Consumer::new(setup, channels, stop).run()
        }))
    }
}
