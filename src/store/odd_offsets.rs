//! Up to where the messages of odd request ids are stored, where that is further than the lane.

use std::collections::BTreeMap;
use std::ops::Range;

use sea_orm::sqlx::{self, PgExecutor, PgTransaction};

use super::batch::{Lane, Part};
use super::parity::Parity;

const SELECT: &str = "SELECT partition, next_offset FROM odd_offsets WHERE topic = $1";

const HOLD: &str = "
SELECT partition, next_offset, rejected FROM odd_offsets
 WHERE topic = $1 AND partition = ANY($2) ORDER BY partition FOR UPDATE";

/// A trigger makes these rows; a restore of the data alone, with triggers off, may leave some out.
const COMPLETE: &str = "
INSERT INTO odd_offsets (topic, partition, next_offset)
SELECT topic, partition, next_offset FROM consumer_offsets WHERE topic = $1
ON CONFLICT DO NOTHING";

/// What is ahead of the part's start stays noted: the part may be shorter than the one before the crash.
const ADVANCE: &str = "
UPDATE odd_offsets AS o
   SET next_offset = greatest(o.next_offset, n.stop),
       rejected = CASE WHEN o.next_offset > n.start THEN o.rejected ELSE '{}' END || n.rejected::bigint[]
  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[]) AS n(partition, start, stop, rejected)
 WHERE o.topic = $1 AND o.partition = n.partition";

const LOWER: &str =
    "UPDATE odd_offsets SET next_offset = $3, rejected = '{}' WHERE topic = $1 AND partition = $2";

/// No index knows origins: the rows are found by when they were stored, which is after the lane last moved.
const STORED_BETWEEN: &str = "
SELECT count(*) FROM payload_statuses
 WHERE origin_partition = $2 AND origin_offset >= $3 AND origin_offset < $4
   AND created_at >= (SELECT updated_at FROM consumer_offsets WHERE topic = $1 AND partition = $2)";

/// What is done of a lane's odd messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// None below this is to be stored any more.
    pub next: i64,
    /// Those below it that are rejects, from where the lane stands.
    rejected: Vec<i64>,
}

impl Odd {
    /// Whether a message was stored before, with its half of a batch.
    pub fn is_done(&self, offset: i64, parity: Parity) -> bool {
        parity == Parity::Odd && offset < self.next
    }

    /// How many messages of the part are rejects, with what became of those that are done.
    pub fn rejected(&self, part: &Part) -> i64 {
        let undone = self.undone_rejects(part, |_| true).count();
        undone as i64 + self.rejected_before(part.start..part.end)
    }

    /// How many of those that are done, and have such an offset, are rejects.
    fn rejected_before(&self, offsets: Range<i64>) -> i64 {
        let offsets = offsets.start..offsets.end.min(self.next);
        let rejected = self.rejected.iter();
        rejected.filter(|offset| offsets.contains(offset)).count() as i64
    }

    /// What [`advance`] makes of it, for the model of the store.
    #[cfg(test)]
    pub fn advanced(&self, part: &Part) -> Self {
        let before = match self.next > part.start {
            true => self.rejected.clone(),
            false => Vec::new(),
        };
        let new = self.undone_rejects(part, |parity| parity == Parity::Odd);
        Self {
            next: self.next.max(part.end),
            rejected: before.into_iter().chain(new).collect(),
        }
    }

    fn undone_rejects(
        &self,
        part: &Part,
        of: impl Fn(Parity) -> bool,
    ) -> impl Iterator<Item = i64> {
        part.rejected.iter().filter_map(move |rejected| {
            let parity = Parity::of_reject(&rejected.reject);
            let is_wanted = of(parity) && !self.is_done(rejected.offset, parity);
            is_wanted.then_some(rejected.offset)
        })
    }
}

/// The odd offset of each lane of `topic`.
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

/// What is done of each lane's odd messages. Nobody else stores any of these lanes until the transaction ends.
///
/// # Errors
///
/// What the database answers.
pub async fn hold(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    lanes: impl Iterator<Item = Lane>,
) -> Result<BTreeMap<Lane, Odd>, sqlx::Error> {
    let rows: Vec<(Lane, i64, Vec<i64>)> = sqlx::query_as(HOLD)
        .bind(topic)
        .bind(lanes.collect::<Vec<_>>())
        .fetch_all(&mut **transaction)
        .await?;
    let odd = rows
        .into_iter()
        .map(|(lane, next, rejected)| (lane, Odd { next, rejected }));
    Ok(odd.collect())
}

/// Makes sure that each lane with a stored offset has an odd one.
///
/// # Errors
///
/// What the database answers.
pub async fn complete(transaction: &mut PgTransaction<'_>, topic: &str) -> Result<(), sqlx::Error> {
    sqlx::query(COMPLETE)
        .bind(topic)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The odd messages of these parts, but those that were done before (`odd`), are stored now.
///
/// # Errors
///
/// What the database answers.
pub async fn advance(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    parts: &[(Lane, &Part)],
    odd: &BTreeMap<Lane, Odd>,
) -> Result<(), sqlx::Error> {
    let rejected = parts.iter().map(|(lane, part)| {
        let offsets = odd[lane].undone_rejects(part, |parity| parity == Parity::Odd);
        let offsets: Vec<String> = offsets.map(|offset| offset.to_string()).collect();
        format!("{{{}}}", offsets.join(","))
    });
    sqlx::query(ADVANCE)
        .bind(topic)
        .bind(parts.iter().map(|(lane, _)| *lane).collect::<Vec<_>>())
        .bind(parts.iter().map(|(_, part)| part.start).collect::<Vec<_>>())
        .bind(parts.iter().map(|(_, part)| part.end).collect::<Vec<_>>())
        .bind(rejected.collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// None of the lane's odd messages from `next` on is stored: those that were are of another log.
///
/// # Errors
///
/// What the database answers.
pub async fn lower(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    lane: Lane,
    next: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(LOWER)
        .bind(topic)
        .bind(lane)
        .bind(next)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// How many of the lane's odd messages with such offsets are statuses, and how many rejects.
///
/// # Errors
///
/// What the database answers.
pub async fn done_between(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    lane: Lane,
    offsets: Range<i64>,
) -> Result<(i64, i64), sqlx::Error> {
    let held = hold(transaction, topic, std::iter::once(lane)).await?;
    let Some(odd) = held.get(&lane).filter(|odd| odd.next > offsets.start) else {
        return Ok((0, 0));
    };
    let stored = sqlx::query_scalar(STORED_BETWEEN)
        .bind(topic)
        .bind(lane)
        .bind(offsets.start)
        .bind(offsets.end.min(odd.next))
        .fetch_one(&mut **transaction)
        .await?;
    Ok((stored, odd.rejected_before(offsets)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::batch::samples::{rejected, stored};

    /// Rejects at 10 and 12, which are even, and at 11, which is odd; an odd message at 13.
    fn part() -> Part {
        let mut part = Part::at(10);
        part.rejected = [10, 11, 12].map(rejected).into();
        part.rejected[1].reject.request_id = Some("1".into());
        part.stored = vec![stored(13)];
        part.stored[0].message.request_id = "1".into();
        part.end = 14;
        part
    }

    #[test]
    fn what_is_done_counts_as_what_it_became() {
        let counted = |next, rejected: &[i64]| {
            let rejected = rejected.to_vec();
            Odd { next, rejected }.rejected(&part())
        };
        assert_eq!(counted(10, &[]), 3, "nothing is done");
        assert_eq!(counted(14, &[]), 2, "11 became a status");
        assert_eq!(counted(14, &[11]), 3, "11 became a reject");
        assert_eq!(counted(14, &[11, 13]), 4, "13 became one too");
        assert_eq!(counted(11, &[9]), 3, "another part's");
        assert_eq!(counted(12, &[11, 13]), 3, "13 is not done");
    }

    #[test]
    fn only_odd_messages_below_the_odd_offset_are_done() {
        let odd = Odd {
            next: 5,
            rejected: Vec::new(),
        };
        assert!(odd.is_done(4, Parity::Odd));
        assert!(!odd.is_done(5, Parity::Odd));
        assert!(!odd.is_done(4, Parity::Even));
    }
}
