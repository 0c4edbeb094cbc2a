//! The stored offsets: where each lane goes on, and what became of everything before.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sqlx::{self, PgExecutor, PgTransaction};

use super::batch::{Lane, Part};
use super::odd_offsets::{self, Odd};

const SELECT: &str = "SELECT partition, next_offset FROM consumer_offsets WHERE topic = $1";

/// The fence: a lane whose stored offset is not where its part starts is not touched.
const ADVANCE: &str = "
UPDATE consumer_offsets AS o
   SET next_offset = n.stop, stored = o.stored + n.stored, rejected = o.rejected + n.rejected,
       skipped = o.skipped + n.skipped, updated_at = now()
  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
       AS n(partition, start, stop, stored, rejected, skipped)
 WHERE o.topic = $1 AND o.partition = n.partition AND o.next_offset = n.start
RETURNING o.partition";

const INSERT: &str = "
INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset)
SELECT $1, n.partition, n.start, n.start
  FROM unnest($2::int[], $3::bigint[]) AS n(partition, start)
ON CONFLICT DO NOTHING";

/// Forward: what is passed over counts as skipped, what the log no longer holds of it as a gap too; but
/// not what is done of it. `updated_at` stays when messages were last stored.
const SKIP: &str = "
UPDATE consumer_offsets
   SET next_offset = $4, stored = stored + $6, rejected = rejected + $7,
       skipped = skipped + ($4 - $3 - $6 - $7), gap = gap + least($5, $4 - $3 - $6 - $7)
 WHERE topic = $1 AND partition = $2 AND next_offset = $3";

/// Back: the counters still add up to what was passed.
const SEND_BACK: &str = "
UPDATE consumer_offsets
   SET next_offset = $4, first_offset = first_offset - ($3 - $4)
 WHERE topic = $1 AND partition = $2 AND next_offset = $3";

const COUNTERS: &str = "
SELECT partition, first_offset, next_offset, stored, rejected, skipped, gap
  FROM consumer_offsets WHERE topic = $1";

const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtext('payload tracker offsets'), hashtext($1))";

const FORGET: &str = "DELETE FROM consumer_offsets WHERE topic = $1";

/// The next offset of each lane of `topic` that has one.
///
/// # Errors
///
/// What the database answers.
pub async fn stored(
    executor: impl PgExecutor<'_>,
    topic: &str,
) -> Result<BTreeMap<Lane, i64>, sqlx::Error> {
    let rows: Vec<(Lane, i64)> = sqlx::query_as(SELECT)
        .bind(topic)
        .fetch_all(executor)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Moves each lane from its part's start to its end, and answers which lanes did stand there. What is
/// done of a part already (`odd`, of each lane) counts as what it became.
///
/// # Errors
///
/// What the database answers.
pub async fn advance(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    parts: &[(Lane, &Part)],
    odd: &BTreeMap<Lane, Odd>,
) -> Result<BTreeSet<Lane>, sqlx::Error> {
    let count = |of: fn(&Part) -> i64| parts.iter().map(|(_, part)| of(part)).collect::<Vec<_>>();
    let rejected: Vec<i64> = parts
        .iter()
        .map(|(lane, part)| odd[lane].rejected(part))
        .collect();
    let stored: Vec<i64> = parts
        .iter()
        .zip(&rejected)
        .map(|((_, part), rejected)| part.len() as i64 - rejected)
        .collect();
    let rows: Vec<(Lane,)> = sqlx::query_as(ADVANCE)
        .bind(topic)
        .bind(parts.iter().map(|(lane, _)| *lane).collect::<Vec<_>>())
        .bind(count(|part| part.start))
        .bind(count(|part| part.end))
        .bind(stored)
        .bind(rejected)
        .bind(count(Part::skipped))
        .fetch_all(&mut **transaction)
        .await?;
    Ok(rows.into_iter().map(|(lane,)| lane).collect())
}

/// Keeps every other process from deciding starts of `topic` until the transaction ends.
///
/// # Errors
///
/// What the database answers.
pub async fn lock(transaction: &mut PgTransaction<'_>, topic: &str) -> Result<(), sqlx::Error> {
    sqlx::query(LOCK)
        .bind(topic)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Stores the start of lanes that have none yet.
///
/// # Errors
///
/// What the database answers.
pub async fn insert(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    starts: &BTreeMap<Lane, i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query(INSERT)
        .bind(topic)
        .bind(starts.keys().copied().collect::<Vec<_>>())
        .bind(starts.values().copied().collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A lane on its way to an offset that the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub lane: Lane,
    /// Where it must stand.
    pub from: i64,
    pub to: i64,
    /// The first offset that the log holds.
    pub log_start: i64,
}

impl Move {
    /// How many offsets of those passed over the log no longer holds; 0 on the way back.
    pub fn gap(&self) -> i64 {
        (self.log_start.min(self.to) - self.from).max(0)
    }
}

/// Moves a lane: forward counts what is skipped, back counts nothing. False if it did not stand there.
///
/// # Errors
///
/// What the database answers.
pub async fn relocate(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    step: Move,
) -> Result<bool, sqlx::Error> {
    // Locks the odd offset first, as those do who write; a trigger sends it back with the lane.
    let (stored, rejected) =
        odd_offsets::done_between(transaction, topic, step.lane, step.from..step.to).await?;
    let is_forward = step.to > step.from;
    let mut query = sqlx::query(if is_forward { SKIP } else { SEND_BACK })
        .bind(topic)
        .bind(step.lane)
        .bind(step.from)
        .bind(step.to);
    if is_forward {
        query = query.bind(step.gap()).bind(stored).bind(rejected);
    }
    Ok(query.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// What became of the offsets of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// What was passed is everything from here up to, but not including, `next`. A log that was read again counts
    /// again, so this may lie before its start.
    pub first: i64,
    pub next: i64,
    pub stored: i64,
    pub rejected: i64,
    pub skipped: i64,
    /// The part of `skipped` that the log no longer held.
    pub gap: i64,
}

/// The counters of each lane of `topic` that has an offset.
///
/// # Errors
///
/// What the database answers.
pub async fn counters(
    executor: impl PgExecutor<'_>,
    topic: &str,
) -> Result<BTreeMap<Lane, Counters>, sqlx::Error> {
    let rows: Vec<(Lane, i64, i64, i64, i64, i64, i64)> = sqlx::query_as(COUNTERS)
        .bind(topic)
        .fetch_all(executor)
        .await?;
    let counters = rows
        .into_iter()
        .map(|(lane, first, next, stored, rejected, skipped, gap)| {
            let counters = Counters {
                first,
                next,
                stored,
                rejected,
                skipped,
                gap,
            };
            (lane, counters)
        });
    Ok(counters.collect())
}

/// Forgets where `topic` was read up to, and its counters.
///
/// # Errors
///
/// What the database answers.
pub async fn forget(executor: impl PgExecutor<'_>, topic: &str) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(FORGET).bind(topic).execute(executor).await?;
    Ok(done.rows_affected())
}
