//! The reject's own side of a redrive: its row, its record, its count.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, FromRow, PgPool, PgTransaction, Row as _};

use super::Outcome;
use crate::status::Reject;

/// What a redrive needs of a reject.
#[derive(Debug)]
pub struct Row {
    pub id: i64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub value: Option<Vec<u8>>,
    pub redriven_at: Option<DateTime<Utc>>,
}

impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            offset: row.try_get("offset")?,
            value: row.try_get("value")?,
            redriven_at: row.try_get("redriven_at")?,
        })
    }
}

const READ: &str = "
SELECT id, topic, partition, \"offset\", value, redriven_at
  FROM rejects WHERE id = ANY($1) ORDER BY id";

/// In the order of ids, so that two operators do not wait for each other in a circle. Who waited
/// sees the row as the other left it.
const LOCK: &str = "
SELECT id, redriven_at FROM rejects WHERE id = ANY($1) ORDER BY id FOR UPDATE";

const MARK: &str = "UPDATE rejects SET redriven_at = now() WHERE id = ANY($1)";

const NOTE: &str = "
INSERT INTO redrives (reject_id, by, edited, outcome, detail)
SELECT reject_id, $2, $3, outcome, detail
  FROM unnest($1::bigint[], $4::text[], $5::text[]) AS n(reject_id, outcome, detail)";

const COUNT: &str = "
INSERT INTO redriven_counts AS c (topic, partition, redriven)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET redriven = c.redriven + excluded.redriven";

/// The rejects that are there.
pub async fn read(pool: &PgPool, ids: &[i64]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(READ).bind(ids).fetch_all(pool).await
}

/// Locks the rejects that are there and says when each was redriven, if it was.
pub async fn lock(
    transaction: &mut PgTransaction<'_>,
    ids: &[i64],
) -> Result<HashMap<i64, Option<DateTime<Utc>>>, sqlx::Error> {
    let rows: Vec<(i64, Option<DateTime<Utc>>)> = sqlx::query_as(LOCK)
        .bind(ids)
        .fetch_all(&mut **transaction)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Leaves a record of each, and marks those that are stored; a [`Reject`] is why one is not.
pub async fn note(
    transaction: &mut PgTransaction<'_>,
    rows: &[(&Row, Option<&Reject>)],
    by: &str,
    edited: Option<&[u8]>,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let outcomes = rows.iter().map(|(_, reject)| Outcome::name(*reject));
    let details = rows
        .iter()
        .map(|(_, reject)| Some(reject.as_ref()?.detail.as_str()));
    sqlx::query(NOTE)
        .bind(rows.iter().map(|(row, _)| row.id).collect::<Vec<_>>())
        .bind(by)
        .bind(edited)
        .bind(outcomes.collect::<Vec<_>>())
        .bind(details.collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    let stored = rows.iter().filter(|(_, reject)| reject.is_none());
    sqlx::query(MARK)
        .bind(stored.map(|(row, _)| row.id).collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Counts those that are stored, apart from what consumption counted.
pub async fn count(
    transaction: &mut PgTransaction<'_>,
    rows: &[(&Row, Option<&Reject>)],
) -> Result<(), sqlx::Error> {
    let mut counts: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    for (row, reject) in rows {
        if reject.is_none() {
            *counts.entry((&row.topic, row.partition)).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    sqlx::query(COUNT)
        .bind(counts.keys().map(|(topic, _)| *topic).collect::<Vec<_>>())
        .bind(counts.keys().map(|(_, lane)| *lane).collect::<Vec<_>>())
        .bind(counts.values().copied().collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
