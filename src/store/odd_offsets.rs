//! Up to where the messages of odd request ids are stored, where that is further than the lane.

use std::collections::BTreeMap;

use sea_orm::sqlx::{self, PgTransaction};

use super::batch::{Lane, Part};
use super::parity::Parity;

const HOLD: &str = "
SELECT partition, next_offset, rejected FROM odd_offsets
 WHERE topic = $1 AND partition = ANY($2) ORDER BY partition FOR UPDATE";

/// What is ahead of the part's start stays noted: the part may be shorter than the one before the crash.
const ADVANCE: &str = "
UPDATE odd_offsets AS o
   SET next_offset = greatest(o.next_offset, n.stop),
       rejected = CASE WHEN o.next_offset > n.start THEN o.rejected ELSE '{}' END || n.rejected::bigint[]
  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[]) AS n(partition, start, stop, rejected)
 WHERE o.topic = $1 AND o.partition = n.partition";

/// What is done of a lane's odd messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// None below this is to be stored any more.
    next: i64,
    /// Those below it that are rejects, from where the lane stands.
    rejected: Vec<i64>,
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
        let offsets = undone_rejects(odd.get(lane), part, |parity| parity == Parity::Odd);
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

/// Whether a message was stored before, with its half of a batch.
pub fn is_done(odd: Option<&Odd>, offset: i64, parity: Parity) -> bool {
    parity == Parity::Odd && odd.is_some_and(|odd| offset < odd.next)
}

/// How many messages of the part are rejects, with what became of those that are done.
pub fn rejected(odd: Option<&Odd>, part: &Part) -> i64 {
    let undone = undone_rejects(odd, part, |_| true).count();
    let done = odd.map_or(0, |odd| {
        let offsets = odd.rejected.iter();
        offsets
            .filter(|offset| (part.start..part.end.min(odd.next)).contains(offset))
            .count()
    });
    (undone + done) as i64
}

fn undone_rejects(
    odd: Option<&Odd>,
    part: &Part,
    of: impl Fn(Parity) -> bool,
) -> impl Iterator<Item = i64> {
    part.rejected.iter().filter_map(move |rejected| {
        let parity = Parity::of_reject(&rejected.reject);
        let is_wanted = of(parity) && !is_done(odd, rejected.offset, parity);
        is_wanted.then_some(rejected.offset)
    })
}
