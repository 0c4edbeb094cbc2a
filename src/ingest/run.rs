//! The consumer from start to end: waits for the database and the topic, then runs the thread
//! that reads and the tasks that write and locate.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use rdkafka::error::KafkaError;
use sea_orm::sqlx::{self, PgPool};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::broker::Broker;
use super::client;
use super::consumer::{Channels, Consumer, Setup};
use super::context::GroupContext;
use super::health::Health;
use super::locate::{LocateError, Locator};
use super::{Closed, Report};
use crate::config::{Database, Ingest, Kafka, OffsetReset};
use crate::status::Rules;
use crate::store::batch::{Batch, Lane};
use crate::store::failure::{self, Failure};
use crate::store::offsets;
use crate::store::session::{self, Role};
use crate::store::writer::{Timings, WriteError, Writer, Written};
use crate::telemetry::metrics::ConsumerMetrics;

/// How often a missing topic is looked for.
const TOPIC_INTERVAL: Duration = Duration::from_secs(2);

/// How often it is said that it is missing.
const TOPIC_REMINDER: Duration = Duration::from_secs(60);

/// What has not come back after this, well over the server's own statement timeout, never will: the
/// connection is dead and nothing has told us.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the consumer ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the database refuses the consumer's start: {0}; is it migrated (`pt migrate up`)?")]
    Start(#[source] sqlx::Error),
    #[error("no TLS session with the database: {0} (DB_SSLMODE, DB_CA)")]
    Tls(#[source] sqlx::Error),
    #[error("the database refuses a batch, nothing of it is stored: {0}")]
    Write(#[source] WriteError),
    #[error("the database refuses to say where lanes start: {0}")]
    Locate(#[source] LocateError),
    #[error("a part of the consumer broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// What the consumer works with.
#[derive(Clone)]
pub struct Pipeline {
    pub kafka: Kafka,
    pub rules: Rules,
    pub limits: Ingest,
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
    /// Kafka or the database refused something that no retry mends. Nothing is half done: the next
    /// start goes on where the stored offsets are.
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
        };
        let writing = Writing {
            writer: Writer::new(self.pool.clone(), self.kafka.topic.clone()),
            metrics: Arc::clone(&self.metrics),
            health: self.health.clone(),
        };
        // Whichever ends first ends the others: the thread when told to, or a task when refused.
        let ended = tokio::select! {
            refused = writing.run(closed, report.clone()) => refused,
            refused = locating.run(wanted, report) => refused,
            read = &mut reading => return Ok(read??),
        };
        stop.cancel();
        reading.await??;
        ended
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
        let mut pauses = backoff();
        loop {
            match self.ask_database().await {
                Ok(()) => {
                    self.health.database_back();
                    return Ok(());
                }
                Err(error) if failure::classify(&error) == Failure::Transient => {
                    warn!(%error, "waiting for the database");
                    self.health.database_away(error.to_string());
                    pause(&mut pauses).await;
                }
                Err(error @ sqlx::Error::Tls(_)) => return Err(RunError::Tls(error)),
                Err(error) => return Err(RunError::Start(error)),
            }
        }
    }

    async fn ask_database(&self) -> Result<(), sqlx::Error> {
        session::choose_authority(&self.pool, &self.database, Role::Consumer).await?;
        offsets::stored(&self.pool, &self.kafka.topic).await?;
        Ok(())
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
        let mut pauses = backoff();
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
            pause(&mut pauses).await;
        }
    }

    /// Starts the thread that drives the Kafka client.
    fn read(
        &self,
        channels: Channels,
        stop: CancellationToken,
    ) -> Result<JoinHandle<Result<(), KafkaError>>, KafkaError> {
        let setup = Setup {
            client: client::consumer_config(&self.kafka)
                .create_with_context(GroupContext::default())?,
            topic: self.kafka.topic.clone(),
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

struct Writing {
    writer: Writer,
    metrics: Arc<ConsumerMetrics>,
    health: Health,
}

impl Writing {
    /// Until nothing more comes, or a batch is refused for good.
    async fn run(
        mut self,
        mut closed: UnboundedReceiver<Closed>,
        report: mpsc::Sender<Report>,
    ) -> Result<(), RunError> {
        while let Some(Closed { batch, reason }) = closed.recv().await {
            let begun = Instant::now();
            let (written, timings) = self.write(&batch).await?;
            let messages = written
                .committed
                .keys()
                .filter_map(|lane| batch.parts.get(lane))
                .map(|part| part.stored.len() + part.rejected.len())
                .sum();
            self.metrics
                .committed(messages, reason.as_str(), begun.elapsed(), &timings);
            if report.send(Report::Written(written)).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Tries until the batch is committed, or refused for good.
    async fn write(&mut self, batch: &Batch) -> Result<(Written, Timings), RunError> {
        let mut pauses = backoff();
        loop {
            let error = match timeout(ANSWER_TIMEOUT, self.writer.write(batch)).await {
                Ok(Ok(done)) => {
                    self.health.database_back();
                    return Ok(done);
                }
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into(),
            };
            self.metrics.process_errors.inc();
            self.writer.forget();
            match error.failure() {
                // What was made sure of is gone again; the next attempt makes it anew.
                Failure::MissingPartition | Failure::Transient => {}
                Failure::Permanent => return Err(RunError::Write(error)),
            }
            warn!(%error, "the batch waits for the database");
            self.health.database_away(error.to_string());
            pause(&mut pauses).await;
        }
    }
}

struct Locating {
    locator: Locator,
    health: Health,
}

impl Locating {
    /// Until nothing more is asked, or the database refuses for good.
    async fn run(
        self,
        mut wanted: watch::Receiver<Vec<Lane>>,
        report: mpsc::Sender<Report>,
    ) -> Result<(), RunError> {
        while wanted.changed().await.is_ok() {
            let starts = self.locate(&mut wanted).await?;
            if !starts.is_empty() && report.send(Report::Located(starts)).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Tries until the lanes are located that are wanted by then.
    async fn locate(
        &self,
        wanted: &mut watch::Receiver<Vec<Lane>>,
    ) -> Result<BTreeMap<Lane, i64>, RunError> {
        let mut pauses = backoff();
        loop {
            let lanes = wanted.borrow_and_update().clone();
            if lanes.is_empty() {
                return Ok(BTreeMap::new());
            }
            let located = timeout(ANSWER_TIMEOUT, self.locator.locate(&lanes));
            let error = match located.await.unwrap_or(Err(LocateError::Silent)) {
                Ok(starts) => {
                    self.health.database_back();
                    return Ok(starts);
                }
                Err(error) => error,
            };
            if let LocateError::Database(refusal) = &error {
                if failure::classify(refusal) != Failure::Transient {
                    return Err(RunError::Locate(error));
                }
                self.health.database_away(refusal.to_string());
            }
            warn!(%error, ?lanes, "lanes wait for their start");
            pause(&mut pauses).await;
        }
    }
}

/// 100 ms growing to 3 s, with jitter of as much again so that consumers do not come back all at once, for ever.
fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(3))
        .with_jitter()
        .without_max_times()
        .build()
}

async fn pause(pauses: &mut ExponentialBackoff) {
    sleep(pauses.next().unwrap_or(Duration::from_secs(3))).await;
}
