//! The bulk path: one batch, one transaction.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use sea_orm::sqlx::{self, PgPool, PgTransaction};

use super::batch::{Batch, Lane, Part};
use super::dictionary::{Dictionary, NameIds};
use super::failure::{self, Failure};
use super::fold;
use super::fuse::{self, Blow, Fuses};
use super::halving::Refusal;
use super::partitions::Partitions;
use super::{offsets, producers, statements};
use crate::config::Fuse;

/// Why a batch was not written. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Of the statement that makes a day's partition.
    #[error("making a partition: {0}")]
    Partition(#[source] sqlx::Error),
    /// A name or payload that was there a statement ago is not: someone deletes rows by hand, or
    /// the database is another one. The same batch again makes it anew.
    #[error("a name or payload vanished while its status was written")]
    Vanished,
}

impl WriteError {
    /// What to do about it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Database(error) => failure::classify(error),
            Self::Partition(error) => failure::classify_partition(error),
            Self::Vanished => Failure::Transient,
        }
    }

    /// For the reject, should a row turn out to be to blame.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Database(error) | Self::Partition(error) => Refusal {
                sqlstate: failure::sqlstate(error),
                message: failure::message(error),
            },
            Self::Vanished => Refusal {
                sqlstate: None,
                message: self.to_string(),
            },
        }
    }
}

/// What became of each lane of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Lanes whose rows are committed, with the offset now stored. A lane that an earlier attempt
    /// had committed, without its answer arriving, is among them.
    pub committed: BTreeMap<Lane, i64>,
    /// Lanes whose stored offset was another than the batch expected: nothing of them is written.
    pub lost: BTreeMap<Lane, Option<i64>>,
    /// Different payloads among the rows.
    pub payloads: usize,
    /// Committed lanes whose fuse blew: they must not be read on.
    pub blown: BTreeMap<Lane, Blow>,
}

impl Written {
    /// Adds what became of a later piece of the same batch.
    pub fn extend(&mut self, later: Self) {
        self.committed.extend(later.committed);
        self.lost.extend(later.lost);
        self.payloads += later.payloads;
        self.blown.extend(later.blown);
    }
}

/// Where a batch's time went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// Unknown names and missing partitions.
    pub prepare: Duration,
    pub fence: Duration,
    pub payloads: Duration,
    pub host_ids: Duration,
    pub statuses: Duration,
    pub rejects: Duration,
    pub commit: Duration,
}

impl Timings {
    /// Each stage by name, in the order in which a batch goes through them.
    pub fn stages(&self) -> [(&'static str, Duration); 7] {
        [
            ("prepare", self.prepare),
            ("fence", self.fence),
            ("payloads", self.payloads),
            ("host_ids", self.host_ids),
            ("statuses", self.statuses),
            ("rejects", self.rejects),
            ("commit", self.commit),
        ]
    }
}

/// What a writer holds to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Different services, and as many sources and status names.
    pub max_names: i64,
    pub fuse: Fuse,
}

/// Writes batches of one topic. One writer serves one batch at a time.
#[derive(Debug)]
pub struct Writer {
    pool: PgPool,
    topic: String,
    limits: Limits,
    /// Of the batch being written.
    dictionary: Dictionary,
    partitions: Partitions,
    fuses: Fuses,
}

impl Writer {
    /// A writer that knows no partition yet.
    pub fn new(pool: PgPool, topic: String, limits: Limits) -> Self {
        Self {
            pool,
            topic,
            limits,
            dictionary: Dictionary::default(),
            partitions: Partitions::default(),
            fuses: Fuses::new(limits.fuse),
        }
    }

    /// Forgets which partitions there are: someone may have dropped one, and after a failure the database
    /// may be another than before (restored, failed over).
    pub fn forget(&mut self) {
        self.partitions.forget();
    }

    /// Writes nothing, with every statement that a batch is written with: what stands in the way
    /// of them all is found at the start.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn rehearse(pool: &PgPool, topic: &str) -> Result<(), sqlx::Error> {
        let mut transaction = pool.begin().await?;
        offsets::advance(&mut transaction, topic, &BTreeMap::new()).await?;
        statements::rehearse(&mut transaction, topic).await?;
        fuse::blow(&mut transaction, topic, &BTreeMap::new(), Duration::ZERO).await?;
        producers::rehearse(&mut transaction).await?;
        transaction.rollback().await
    }

    /// Commits offsets, payloads, statuses and rejects of `batch` together, or nothing of them.
    ///
    /// Messages with a name too many become rejects, and a lane whose fuse blows loses what came
    /// after that: both stay so in `batch` for another attempt.
    ///
    /// # Errors
    ///
    /// What the database answers; [`WriteError::failure`] says what to do about it.
    /// After a failed COMMIT it is unknown whether it took place: the same call again finds out,
    /// since the fence then sees the lanes' new offsets.
    pub async fn write(&mut self, batch: &mut Batch) -> Result<(Written, Timings), WriteError> {
        let mut clock = Clock::start();
        let mut timings = Timings::default();
        self.prepare(batch).await?;
        timings.prepare = clock.lap();

        let judgement = self.fuses.judge(batch);
        let mut transaction = self.pool.begin().await?;
        let passed = offsets::advance(&mut transaction, &self.topic, &batch.parts).await?;
        let parts = batch
            .parts
            .iter()
            .filter(|(lane, _)| passed.contains(lane))
            .map(|(lane, part)| (*lane, part))
            .collect::<Vec<_>>();
        timings.fence = clock.lap();

        let mut written = Written {
            payloads: self
                .write_statuses(&mut transaction, &parts, &mut clock, &mut timings)
                .await?,
            ..Written::default()
        };
        statements::insert_rejects(&mut transaction, &self.topic, &parts).await?;
        timings.rejects = clock.lap();

        for (lane, part) in &parts {
            written.committed.insert(*lane, part.end);
        }
        if parts.len() < batch.parts.len() {
            self.settle(&mut transaction, batch, &mut written).await?;
        }
        written.blown = judgement.blown_among(&written.committed);
        self.store_blown(&mut transaction, &written).await?;
        producers::count(&mut transaction, &parts).await?;
        transaction.commit().await?;
        self.fuses.settle(judgement, written.committed.keys());
        timings.commit = clock.lap();
        Ok((written, timings))
    }

    /// Names and partitions, each in a committed statement of its own.
    async fn prepare(&mut self, batch: &mut Batch) -> Result<(), WriteError> {
        let max_names = self.limits.max_names;
        self.dictionary = Dictionary::of(&self.pool, batch, max_names).await?;
        for part in batch.parts.values_mut() {
            part.reject(|message| Some((self.dictionary.refusal(message, max_names)?, None)));
        }
        let dates = batch.stored().map(|(_, stored)| stored.message.date);
        self.partitions
            .ensure(&self.pool, dates)
            .await
            .map_err(WriteError::Partition)
    }

    async fn store_blown(
        &self,
        transaction: &mut PgTransaction<'_>,
        written: &Written,
    ) -> Result<(), sqlx::Error> {
        if written.blown.is_empty() {
            return Ok(());
        }
        let cooldown = self.limits.fuse.cooldown;
        fuse::blow(transaction, &self.topic, &written.blown, cooldown).await
    }

    /// Answers for how many different payloads.
    async fn write_statuses(
        &self,
        transaction: &mut PgTransaction<'_>,
        parts: &[(Lane, &Part)],
        clock: &mut Clock,
        timings: &mut Timings,
    ) -> Result<usize, WriteError> {
        let payloads = fold::by_request_id(
            parts
                .iter()
                .flat_map(|(_, part)| part.stored.iter().map(|stored| &stored.message)),
        );
        if payloads.is_empty() {
            return Ok(0);
        }
        let ids = statements::put_payloads(transaction, &payloads).await?;
        if ids.len() < payloads.len() {
            return Err(WriteError::Vanished);
        }
        timings.payloads = clock.lap();
        statements::insert_host_ids(transaction, &payloads, &ids).await?;
        timings.host_ids = clock.lap();
        let rows = self.status_rows(parts, &ids)?;
        statements::insert_statuses(transaction, &rows).await?;
        timings.statuses = clock.lap();
        Ok(payloads.len())
    }

    fn status_rows<'a>(
        &self,
        parts: &[(Lane, &'a Part)],
        ids: &HashMap<String, i64>,
    ) -> Result<Vec<statements::StatusRow<'a>>, WriteError> {
        let mut rows = Vec::new();
        for (lane, part) in parts {
            for stored in &part.stored {
                let (Some(names), Some(payload_id)) = (
                    self.dictionary.ids(&stored.message),
                    ids.get(&stored.message.request_id),
                ) else {
                    return Err(WriteError::Vanished);
                };
                rows.push(status_row(*lane, stored, *payload_id, names));
            }
        }
        // Neighbours in the indexes by date come one after the other. Lanes would mix them.
        rows.sort_by_key(|row| row.date);
        Ok(rows)
    }

    /// A lane that did not pass the fence is either done already, by an attempt whose COMMIT went
    /// unanswered, or no longer where this process believes it to be.
    async fn settle(
        &self,
        transaction: &mut PgTransaction<'_>,
        batch: &Batch,
        written: &mut Written,
    ) -> Result<(), sqlx::Error> {
        let stored = offsets::stored(&mut **transaction, &self.topic).await?;
        for (lane, part) in &batch.parts {
            if written.committed.contains_key(lane) {
                continue;
            }
            let next = stored.get(lane).copied();
            if next == Some(part.end) {
                written.committed.insert(*lane, part.end);
            } else {
                written.lost.insert(*lane, next);
            }
        }
        Ok(())
    }
}

fn status_row(
    lane: Lane,
    stored: &super::batch::Stored,
    payload_id: i64,
    names: NameIds,
) -> statements::StatusRow<'_> {
    statements::StatusRow {
        payload_id,
        names,
        status_msg: stored.message.status_msg.as_deref(),
        date: stored.message.date,
        lane,
        offset: stored.offset,
    }
}

struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let lap = now - self.0;
        self.0 = now;
        lap
    }
}
