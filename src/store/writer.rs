//! The bulk path. A batch is one transaction; a large one is two at once, one for each half of the
//! request ids, since one session of PostgreSQL uses one core.

mod outcome;
mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::sqlx::{self, PgPool, PgTransaction};
use tokio::try_join;

pub(super) use self::outcome::Clock;
pub use self::outcome::{Timings, WriteError, Written};
use self::rows::Rows;
pub(super) use self::rows::{Placed, write_statuses};
use super::batch::{Batch, Lane, Part};
use super::dictionary::Dictionary;
use super::failure::Failure;
use super::fuse::{self, Fuses, Judgement};
use super::lent::{Lent, lend};
use super::parity::Parity;
use super::partitions::Partitions;
use super::{odd_offsets, offsets, producers, statements};
use crate::config::Fuse;

/// Messages from which on a batch is divided. Below, a second COMMIT costs more than it saves.
const DIVIDED_FROM: usize = 2_000;

/// Two for the halves of a batch, one for whoever looks at offsets meanwhile.
const SESSIONS_TO_DIVIDE: u32 = 3;

/// Batches that one session writes after a failure, which may be one that two sessions have and one does
/// not: no second session to be had, or somebody's lock between them.
const WHOLE_AFTER_FAILURE: u32 = 20;

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
    /// So many batches are not divided.
    whole_for: u32,
}

/// A batch all of whose rows are written, and of which nothing is committed but its odd half.
struct Open<'a> {
    transaction: PgTransaction<'a>,
    /// The lanes that stood where the batch expects them.
    parts: Vec<(Lane, &'a Part)>,
    payloads: usize,
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
            whole_for: 0,
        }
    }

    /// To be called when a batch was not written. Forgets which partitions there are: someone may have dropped
    /// one, and the database may be another than before (restored, failed over).
    pub fn failed(&mut self, failure: Failure) {
        self.partitions.forget();
        if failure != Failure::Poison {
            self.whole_for = WHOLE_AFTER_FAILURE;
        }
    }

    /// Writes nothing, with every statement that a batch is written with: what stands in the way
    /// of them all is found at the start.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn rehearse(pool: &PgPool, topic: &str) -> Result<(), sqlx::Error> {
        let mut transaction = pool.begin().await?;
        let odd = odd_offsets::hold(&mut transaction, topic, std::iter::empty()).await?;
        odd_offsets::advance(&mut transaction, topic, &[], &odd).await?;
        offsets::advance(&mut transaction, topic, &[], &odd).await?;
        statements::rehearse(&mut transaction, topic).await?;
        fuse::blow(&mut transaction, topic, &BTreeMap::new(), Duration::ZERO).await?;
        producers::rehearse(&mut transaction).await?;
        transaction.rollback().await
    }

    /// Commits offsets, payloads, statuses and rejects of `batch` together, or nothing of them. Of a
    /// large batch the odd half is committed first, with offsets of its own: should the process end
    /// before the rest is, whoever reads the lanes next leaves that half out.
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
        self.prepare(batch).await?;
        let judgement = self.fuses.judge(batch);
        clock.lap(|timings| &mut timings.prepare);

        let mut odd = self.second_session(batch).await;
        let mut session = lend(&self.pool).await?;
        let open = match &mut odd {
            Some(odd) => {
                self.write_halves([odd, &mut session], batch, &mut clock)
                    .await?
            }
            None => self.write_whole(&mut session, batch, &mut clock).await?,
        };
        let written = self.commit(open, batch, &judgement).await?;
        clock.lap(|timings| &mut timings.commit);
        self.fuses.settle(judgement, written.committed.keys());
        self.whole_for = self.whole_for.saturating_sub(1);
        Ok((written, clock.timings))
    }

    /// Names and partitions, each in a committed statement of its own.
    async fn prepare(&mut self, batch: &mut Batch) -> Result<(), WriteError> {
        let max_names = self.limits.max_names;
        let messages = batch.stored().map(|(_, stored)| &stored.message);
        self.dictionary = Dictionary::of(&self.pool, messages, max_names).await?;
        for part in batch.parts.values_mut() {
            part.reject(|message| Some((self.dictionary.refusal(message, max_names)?, None)));
        }
        let dates = batch.stored().map(|(_, stored)| stored.message.date);
        self.partitions
            .ensure(&self.pool, dates)
            .await
            .map_err(WriteError::Partition)
    }

    /// For the odd half of a batch that is to be divided.
    async fn second_session(&mut self, batch: &Batch) -> Option<Lent> {
        let sessions = self.pool.options().get_max_connections();
        let is_divided = sessions >= SESSIONS_TO_DIVIDE && batch.len() >= DIVIDED_FROM;
        if !is_divided || self.whole_for > 0 {
            return None;
        }
        let session = lend(&self.pool).await;
        if session.is_err() {
            // That there is none is said by whoever cannot go on without.
            self.whole_for = WHOLE_AFTER_FAILURE;
        }
        session.ok()
    }

    async fn write_whole<'a>(
        &self,
        session: &'a mut Lent,
        batch: &'a Batch,
        clock: &mut Clock,
    ) -> Result<Open<'a>, WriteError> {
        let mut transaction = session.begin().await?;
        let mut parts = parts(batch);
        let lanes = batch.parts.keys().copied();
        let odd = odd_offsets::hold(&mut transaction, &self.topic, lanes).await?;
        parts.retain(|(lane, _)| odd.contains_key(lane));
        let passed = offsets::advance(&mut transaction, &self.topic, &parts, &odd).await?;
        parts.retain(|(lane, _)| passed.contains(lane));
        clock.lap(|timings| &mut timings.fence);

        let rows = Rows::of(&parts, |lane, offset, parity| {
            !odd[&lane].is_done(offset, parity)
        });
        let payloads = rows
            .write(&mut transaction, &self.topic, &self.dictionary, clock)
            .await?;
        Ok(Open {
            transaction,
            parts,
            payloads,
        })
    }

    /// The odd half never waits for the even one, which waits for its COMMIT.
    async fn write_halves<'a>(
        &self,
        [odd_session, even_session]: [&'a mut Lent; 2],
        batch: &'a Batch,
        clock: &mut Clock,
    ) -> Result<Open<'a>, WriteError> {
        let mut odd_session = odd_session.begin().await?;
        let mut even_session = even_session.begin().await?;
        let mut parts = parts(batch);
        let lanes = batch.parts.keys().copied();
        let odd = odd_offsets::hold(&mut odd_session, &self.topic, lanes).await?;
        // Looked at once the lanes are held: what another consumer may have written of them is known.
        let stored = offsets::stored(&mut *odd_session, &self.topic).await?;
        parts
            .retain(|(lane, part)| stored.get(lane) == Some(&part.start) && odd.contains_key(lane));
        // Or the odd half would come to stand behind somebody who waits for the even one, and wants a
        // table for himself.
        statements::share_tables(&mut odd_session).await?;
        let passed = offsets::advance(&mut even_session, &self.topic, &parts, &odd).await?;
        parts.retain(|(lane, _)| passed.contains(lane));
        clock.lap(|timings| &mut timings.fence);

        let odd_rows = Rows::of(&parts, |lane, offset, parity| {
            parity == Parity::Odd && !odd[&lane].is_done(offset, parity)
        });
        let even_rows = Rows::of(&parts, |_, _, parity| parity == Parity::Even);
        let odd_half = async {
            let mut unseen = Clock::start();
            let payloads = odd_rows
                .write(&mut odd_session, &self.topic, &self.dictionary, &mut unseen)
                .await?;
            odd_offsets::advance(&mut odd_session, &self.topic, &parts, &odd).await?;
            odd_session.commit().await?;
            Ok(payloads)
        };
        let even_half = even_rows.write(&mut even_session, &self.topic, &self.dictionary, clock);
        let (odd_payloads, even_payloads) = try_join!(odd_half, even_half)?;
        clock.lap(|timings| &mut timings.odd);
        Ok(Open {
            transaction: even_session,
            parts,
            payloads: odd_payloads + even_payloads,
        })
    }

    async fn commit(
        &self,
        open: Open<'_>,
        batch: &Batch,
        judgement: &Judgement,
    ) -> Result<Written, WriteError> {
        let Open {
            mut transaction,
            parts,
            payloads,
        } = open;
        let mut written = Written {
            payloads,
            committed: parts.iter().map(|(lane, part)| (*lane, part.end)).collect(),
            ..Written::default()
        };
        if parts.len() < batch.parts.len() {
            self.settle(&mut transaction, batch, &mut written).await?;
        }
        written.blown = judgement.blown_among(&written.committed);
        self.store_blown(&mut transaction, &written).await?;
        producers::count(&mut transaction, &parts).await?;
        transaction.commit().await?;
        Ok(written)
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

fn parts(batch: &Batch) -> Vec<(Lane, &Part)> {
    batch
        .parts
        .iter()
        .map(|(lane, part)| (*lane, part))
        .collect()
}
