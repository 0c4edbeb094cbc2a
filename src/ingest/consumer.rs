//! The thread that drives the Kafka client.
//!
//! It polls, decodes, and hands batches over; it never waits for the database or the broker for
//! longer than the group tolerates. Being revoked and stopping are one path: hand in the open
//! batch, wait a bounded time, let go.

mod assignment;
mod lanes;
mod leave;
mod moved;
mod progress;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _, Timestamp};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::context::{GroupContext, Rebalance};
use super::health::Health;
use super::intake::{Close, Intake, Receipt, Received};
use super::{Closed, Report};
use crate::config::{Ingest, Membership};
use crate::status::{Message, Rules};
use crate::store::batch::Lane;
use crate::store::writer::Written;
use crate::telemetry::metrics::ConsumerMetrics;
use progress::Progress;

/// How long a poll waits for a message, and so how late a report or a stop is noticed.
const POLL: Duration = Duration::from_millis(50);

/// How long a full batch waits for the writer before its lanes are paused. Shorter would throw
/// away what was fetched ahead; longer would come near the interval the group allows.
const PAUSE_AFTER: Duration = Duration::from_secs(2);

/// How long letting go waits for the writer. With leaving the group it must stay under the 10 s that
/// a stop may take.
const RELEASE_WAIT: Duration = Duration::from_secs(5);

/// Messages taken in one go before reports and rebalances are looked at.
const BURST: usize = 1_000;

/// The consumer's ends of the channels to the tasks beside it.
pub struct Channels {
    pub batches: UnboundedSender<Closed>,
    /// The lanes whose start is to be found out, now.
    pub locate: watch::Sender<Vec<Lane>>,
    pub reports: Receiver<Report>,
}

/// What the thread is given.
pub struct Setup {
    pub client: BaseConsumer<GroupContext>,
    pub topic: String,
    pub membership: Membership,
    pub rules: Rules,
    pub limits: Ingest,
    pub metrics: Arc<ConsumerMetrics>,
    pub health: Health,
    pub log_messages: bool,
}

/// The state of the thread.
pub struct Consumer {
    setup: Setup,
    channels: Channels,
    stop: CancellationToken,
    intake: Intake,
    /// When the open batch got its first message.
    opened: Option<Instant>,
    /// What is with the writer.
    writing: Option<InWriting>,
    paused: bool,
    /// When it was said that the group refuses this member.
    complained: Option<Instant>,
    /// Idle lanes that did not stand where the stored offset was, at the last look.
    apart: BTreeMap<Lane, moved::Apart>,
    progress: Progress,
}

/// A batch on its way.
struct InWriting {
    since: Instant,
    lanes: BTreeSet<Lane>,
}

/// Why the thread ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error(
        "another consumer has joined the group with this one's KAFKA_GROUP_INSTANCE_ID={0}: \
         each needs one of its own"
    )]
    Fenced(String),
}

impl Consumer {
    /// A consumer that runs until `stop`.
    pub fn new(setup: Setup, channels: Channels, stop: CancellationToken) -> Self {
        Self {
            intake: Intake::new(setup.limits),
            setup,
            channels,
            stop,
            opened: None,
            writing: None,
            paused: false,
            complained: None,
            apart: BTreeMap::new(),
            progress: Progress::default(),
        }
    }

    /// Runs until it is stopped, or until the client can go on no longer.
    ///
    /// # Errors
    ///
    /// The client refused to subscribe, or broke for good.
    pub fn run(mut self) -> Result<(), ConsumeError> {
        self.setup.client.subscribe(&[&self.setup.topic])?;
        let ended = loop {
            if self.stop.is_cancelled() {
                break Ok(());
            }
            if let Err(error) = self.turn() {
                break Err(error);
            }
        };
        self.drain(|_| true, || false);
        leave::leave(self.setup.client);
        ended
    }

    fn turn(&mut self) -> Result<(), ConsumeError> {
        while let Ok(report) = self.channels.reports.try_recv() {
            self.hear(report);
        }
        for asked in self.setup.client.context().take_asked() {
            match asked {
                Rebalance::Assign(lanes) => self.assigned(lanes),
                Rebalance::Revoke(lanes) => self.revoked(&lanes),
            }
            // Only now: until their starts are stored, new lanes keep the consumer from being ready.
            self.setup.health.joined();
        }
        self.tell_progress();
        self.hand_over_if_due();
        match &self.writing {
            Some(writing) if self.intake.full().is_some() => self.wait_for_writer(writing.since),
            _ => self.take_messages(),
        }
    }

    fn tell_progress(&self) {
        let Setup {
            metrics, client, ..
        } = &self.setup;
        self.progress.tell_oldest(metrics, self.intake.oldest());
        if let Some(ends) = client.context().take_ends() {
            self.progress.tell_lag(metrics, &ends);
        }
    }

    /// Both batches are full. For a moment the thread just waits; then it pauses the lanes and
    /// polls on, so that the group keeps this member.
    fn wait_for_writer(&mut self, since: Instant) -> Result<(), ConsumeError> {
        if since.elapsed() < PAUSE_AFTER {
            // The report or its absence: the next turn looks again either way.
            let _ = self.hear_within(POLL);
            return Ok(());
        }
        if !self.paused {
            self.paused = true;
            info!("the database keeps both batches waiting: lanes paused");
            self.pause(&self.intake.reading());
        }
        self.poll(POLL).map(|_| ())
    }

    fn take_messages(&mut self) -> Result<(), ConsumeError> {
        let mut patience = self.patience();
        for _ in 0..BURST {
            if !self.poll(patience)? || self.intake.full().is_some() {
                break;
            }
            patience = Duration::ZERO;
        }
        Ok(())
    }

    /// Until the open batch is due, if the writer could have it then.
    fn patience(&self) -> Duration {
        match self.opened {
            Some(opened) if self.writing.is_none() => POLL.min(
                self.setup
                    .limits
                    .batch_max_wait
                    .saturating_sub(opened.elapsed()),
            ),
            // The writer's report comes by another way, which poll does not see.
            Some(_) => Duration::from_millis(5),
            None => POLL,
        }
    }

    /// True if there was a message.
    fn poll(&mut self, patience: Duration) -> Result<bool, ConsumeError> {
        let Self {
            setup,
            intake,
            opened,
            ..
        } = self;
        match setup.client.poll(patience) {
            None => Ok(false),
            Some(Ok(message)) => {
                if receive(setup, intake, &message) == Receipt::Taken {
                    opened.get_or_insert_with(Instant::now);
                }
                Ok(true)
            }
            Some(Err(error)) => self.consume_error(error).map(|()| false),
        }
    }

    fn consume_error(&mut self, error: KafkaError) -> Result<(), ConsumeError> {
        self.setup.metrics.consume_errors.inc();
        match error {
            KafkaError::MessageConsumptionFatal(_) => return Err(self.fatal(error)),
            KafkaError::MessageConsumption(code) if self.refused(code) => {}
            // The log does not hold an offset. The client does not say of which lane.
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
                self.restart(self.intake.reading());
            }
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownPartition,
            ) => {
                warn!(%error, "Kafka");
                self.doubt_topic();
            }
            error => warn!(%error, "Kafka"),
        }
        Ok(())
    }

    /// Hands in the open batch if it holds something of the lanes that are `leaving`, and waits, a bounded
    /// time, until the writer has nothing of them. What is not written by then may still be, later, by the
    /// fence's leave.
    ///
    /// What the batch holds of other lanes goes along: both are written together, and a second batch, for
    /// the rest, would only make everybody wait longer. Lanes without an unwritten message are let go at once.
    fn drain(&mut self, leaving: impl Fn(Lane) -> bool, cut_short: impl Fn() -> bool) {
        let deadline = Instant::now() + RELEASE_WAIT;
        loop {
            let is_open = self.intake.open_lanes().any(&leaving);
            let writing = self.writing.as_ref();
            let is_writing = writing.is_some_and(|batch| batch.lanes.iter().copied().any(&leaving));
            if !is_open && !is_writing {
                return;
            }
            if self.writing.is_none() {
                self.hand_over(Close::Release);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = left.is_zero() || cut_short();
            if is_over || self.hear_within(left.min(POLL)) == Err(RecvTimeoutError::Disconnected) {
                warn!("letting go of lanes before their batch was written");
                return;
            }
        }
    }

    fn hand_over_if_due(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let old = |opened: Instant| opened.elapsed() >= self.setup.limits.batch_max_wait;
        if let Some(reason) = self.intake.full() {
            self.hand_over(reason);
        } else if self.opened.is_some_and(old) {
            self.hand_over(Close::Time);
        }
    }

    fn hand_over(&mut self, reason: Close) {
        self.progress.writing(self.intake.oldest());
        let batch = self.intake.take();
        self.opened = None;
        if std::mem::take(&mut self.paused) {
            info!("lanes resumed");
            self.resume(&self.intake.reading());
        }
        // The writer's end is gone only when the process ends; then nothing of this is committed.
        let lanes = batch.parts.keys().copied().collect();
        if !batch.is_empty() && self.channels.batches.send(Closed { batch, reason }).is_ok() {
            let since = Instant::now();
            self.writing = Some(InWriting { since, lanes });
        }
    }

    /// # Errors
    ///
    /// Nothing was heard, or nobody is left to speak.
    fn hear_within(&mut self, patience: Duration) -> Result<(), RecvTimeoutError> {
        let report = self.channels.reports.recv_timeout(patience)?;
        self.hear(report);
        Ok(())
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Written(written) => self.written(written),
            Report::Located(starts) => self.located(starts),
            Report::Stored(stored) => self.compare(&stored),
        }
    }

    fn written(&mut self, written: Written) {
        self.writing = None;
        self.progress.writing(None);
        self.progress.stored(&written.committed);
        self.commit_group_offsets(&written.committed);
        for (lane, blow) in &written.blown {
            error!(lane, blow.detail, "the fuse has blown: the lane is stopped");
        }
        self.restart(written.blown.into_keys().collect());
        let lost: Vec<Lane> = written.lost.into_keys().collect();
        if !lost.is_empty() {
            warn!(?lost, "another consumer moved these lanes");
            self.restart(lost);
        }
    }
}

fn receive(setup: &Setup, intake: &mut Intake, message: &BorrowedMessage<'_>) -> Receipt {
    let value = message.payload();
    let decoded = Message::decode(value.unwrap_or_default(), &setup.rules, Utc::now());
    setup.metrics.consumed_messages.inc();
    if setup.log_messages {
        let value = String::from_utf8_lossy(value.unwrap_or_default());
        let (lane, offset) = (message.partition(), message.offset());
        info!(lane, offset, %value, "received");
    }
    intake.receive(Received {
        lane: message.partition(),
        offset: message.offset(),
        key: message.key(),
        value,
        produced_at: produced_at(message.timestamp()),
        decoded,
    })
}

fn produced_at(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    timestamp
        .to_millis()
        .and_then(DateTime::from_timestamp_millis)
}
