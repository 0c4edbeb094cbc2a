//! Rejects sent through once more: the same validation and the same statements as for what comes
//! from Kafka, in one transaction with the reject's own row.
//!
//! It is counted apart from consumption: the counters beside the offsets say what became of a
//! message when it was consumed, and stay. The status keeps the partition and offset it came with.

mod rows;
mod select;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::PgPool;
use tokio::time::sleep;

use super::dictionary::Dictionary;
use super::failure::Failure;
use super::halving::Refusal;
use super::partitions::Partitions;
use super::producers;
use super::writer::{Clock, Placed, WriteError, write_statuses};
use crate::status::{Message, Reason, Reject, Rules};
use rows::Row;
pub use select::{Chunks, Selection, select, select_ids};

/// How often a chunk is tried while the database is busy or away, with `PAUSE` between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// What became of a reject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a status now.
    Stored,
    /// It is a reject still, perhaps for another reason.
    Rejected(Reject),
    /// It was a status already.
    AlreadyRedriven(DateTime<Utc>),
    /// There is no such reject, or no longer.
    Gone,
}

/// Sends rejects through as the deployment's consumers would now.
pub struct Redriver {
    pub pool: PgPool,
    pub rules: Rules,
    /// `MAX_NAMES`: a name beyond as many of its kind is rejected.
    pub max_names: i64,
    /// Who does it, for the record.
    pub by: String,
}

/// A reject that is being redriven.
struct Attempt<'a> {
    row: &'a Row,
    decoded: Result<Message, Reject>,
}

impl Attempt<'_> {
    /// As a status it keeps its origin.
    fn placed(&self) -> Option<Placed<'_>> {
        Some(Placed {
            lane: self.row.partition,
            offset: self.row.offset,
            message: self.decoded.as_ref().ok()?,
        })
    }
}

impl Redriver {
    /// What redriving would make of these rejects; nothing is changed. Whether names are too many, and
    /// what the database would refuse, only doing it can tell.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn foretell(
        &self,
        ids: &[i64],
        edited: Option<&[u8]>,
    ) -> Result<Vec<(i64, Outcome)>, WriteError> {
        let read = rows::read(&self.pool, ids).await?;
        let told = |row: &Row| match (row.redriven_at, self.decode(row, edited)) {
            (Some(at), _) => Outcome::AlreadyRedriven(at),
            (None, Ok(_)) => Outcome::Stored,
            (None, Err(reject)) => Outcome::Rejected(reject),
        };
        let told = read.iter().map(|row| (row.id, told(row))).collect();
        Ok(with_missing(told, ids))
    }

    /// Redrives these rejects together, or each alone if need be: one that the database refuses keeps
    /// none of the others back. `edited` takes the place of the value, for a single one.
    ///
    /// What is rejected once more leaves a row in `redrives` too.
    ///
    /// # Errors
    ///
    /// The database is away, or refuses for another reason than a row. Of these rejects some may be
    /// redriven by then; the same call again goes on with the others.
    pub async fn redrive(
        &self,
        ids: &[i64],
        edited: Option<&[u8]>,
    ) -> Result<Vec<(i64, Outcome)>, WriteError> {
        let mut done = Vec::with_capacity(ids.len());
        let mut waiting = vec![ids];
        while let Some(chunk) = waiting.pop() {
            match self.persistently(chunk, edited).await {
                Ok(outcomes) => done.extend(outcomes),
                Err(error) if is_poison(&error) && chunk.len() > 1 => {
                    let (earlier, later) = chunk.split_at(chunk.len() / 2);
                    waiting.extend([later, earlier]);
                }
                Err(error) if is_poison(&error) => {
                    done.extend(self.refuse(chunk, edited, error.refusal()).await?);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Tries again while that may help.
    async fn persistently(
        &self,
        ids: &[i64],
        edited: Option<&[u8]>,
    ) -> Result<Vec<(i64, Outcome)>, WriteError> {
        let mut attempt = 1;
        loop {
            match self.once(ids, edited, None).await {
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => attempt += 1,
                settled => return settled,
            }
            sleep(PAUSE).await;
        }
    }

    /// Notes that the database refused the only one of `ids`.
    async fn refuse(
        &self,
        ids: &[i64],
        edited: Option<&[u8]>,
        refusal: Refusal,
    ) -> Result<Vec<(i64, Outcome)>, WriteError> {
        self.once(ids, edited, Some(&refusal)).await
    }

    async fn once(
        &self,
        ids: &[i64],
        edited: Option<&[u8]>,
        refusal: Option<&Refusal>,
    ) -> Result<Vec<(i64, Outcome)>, WriteError> {
        let read = rows::read(&self.pool, ids).await?;
        let mut attempts: Vec<Attempt<'_>> = read
            .iter()
            .map(|row| Attempt {
                row,
                decoded: self.decode(row, edited),
            })
            .collect();
        let dictionary = match refusal {
            Some(refusal) => {
                refuse_all(&mut attempts, refusal);
                Dictionary::default()
            }
            None => self.prepare(&mut attempts).await?,
        };

        let mut transaction = self.pool.begin().await?;
        let locked = rows::lock(&mut transaction, ids).await?;
        let open: Vec<&Attempt<'_>> = attempts
            .iter()
            .filter(|attempt| locked.get(&attempt.row.id) == Some(&None))
            .collect();
        let placed: Vec<_> = open.iter().filter_map(|attempt| attempt.placed()).collect();
        write_statuses(&mut transaction, &placed, &dictionary, &mut Clock::start()).await?;
        let noted: Vec<_> = open
            .iter()
            .map(|attempt| (attempt.row, attempt.decoded.as_ref().err()))
            .collect();
        rows::note(&mut transaction, &noted, &self.by, edited).await?;
        rows::count(&mut transaction, &noted).await?;
        let stored = open.iter().filter_map(|a| a.decoded.as_ref().ok());
        producers::reopen(&mut transaction, stored).await?;
        transaction.commit().await?;

        let outcomes = attempts.into_iter().filter_map(|attempt| {
            let outcome = match (locked.get(&attempt.row.id)?, attempt.decoded) {
                (Some(at), _) => Outcome::AlreadyRedriven(*at),
                (None, Ok(_)) => Outcome::Stored,
                (None, Err(reject)) => Outcome::Rejected(reject),
            };
            Some((attempt.row.id, outcome))
        });
        Ok(with_missing(outcomes.collect(), ids))
    }

    fn decode(&self, row: &Row, edited: Option<&[u8]>) -> Result<Message, Reject> {
        let value = edited.or(row.value.as_deref()).unwrap_or_default();
        Message::decode(value, &self.rules, Utc::now())
    }

    /// Names and partitions, as before a batch; what has a name too many is rejected.
    async fn prepare(&self, attempts: &mut [Attempt<'_>]) -> Result<Dictionary, WriteError> {
        let open = attempts
            .iter()
            .filter(|attempt| attempt.row.redriven_at.is_none());
        let messages = open.filter_map(|attempt| attempt.decoded.as_ref().ok());
        let dictionary = Dictionary::of(&self.pool, messages, self.max_names).await?;
        let mut dates = Vec::new();
        for attempt in attempts {
            if attempt.row.redriven_at.is_some() {
                continue;
            }
            if let Ok(message) = &attempt.decoded {
                match dictionary.refusal(message, self.max_names) {
                    Some(reject) => attempt.decoded = Err(reject),
                    None => dates.push(message.date),
                }
            }
        }
        Partitions::default()
            .ensure(&self.pool, dates.into_iter())
            .await
            .map_err(WriteError::Partition)?;
        Ok(dictionary)
    }
}

fn refuse_all(attempts: &mut [Attempt<'_>], refusal: &Refusal) {
    for attempt in attempts {
        if let Ok(message) = &attempt.decoded {
            attempt.decoded = Err(refusal.reject(message));
        }
    }
}

fn is_poison(error: &WriteError) -> bool {
    matches!(error.failure(), Failure::Poison | Failure::Timeout)
}

fn may_pass(error: &WriteError) -> bool {
    match error.failure() {
        Failure::Transient | Failure::MissingPartition | Failure::Timeout => true,
        Failure::Poison | Failure::Stalled => false,
    }
}

/// In the order of `ids`, of which each is answered for.
fn with_missing(told: Vec<(i64, Outcome)>, ids: &[i64]) -> Vec<(i64, Outcome)> {
    let mut told: std::collections::HashMap<i64, Outcome> = told.into_iter().collect();
    ids.iter()
        .map(|id| (*id, told.remove(id).unwrap_or(Outcome::Gone)))
        .collect()
}

impl Outcome {
    /// The reason's name, or `stored`, as `redrives.outcome` has it.
    fn name(reject: Option<&Reject>) -> &'static str {
        reject.map_or("stored", |reject| Reason::as_str(reject.reason))
    }
}
