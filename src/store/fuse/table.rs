//! The table `fuses`: which lanes have stopped, since when, why, and until when.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, FromRow, PgExecutor, PgTransaction, Row};

use super::Blow;
use crate::store::batch::Lane;

const BLOW: &str = "
INSERT INTO fuses (topic, partition, blown_at, until, seen, rejected, detail)
SELECT $1, n.partition, now(), now() + $2 * interval '1 second', n.seen, n.rejected, n.detail
  FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::text[])
       AS n(partition, seen, rejected, detail)
ON CONFLICT (topic, partition) DO UPDATE SET
       blown_at = excluded.blown_at, until = excluded.until, seen = excluded.seen,
       rejected = excluded.rejected, detail = excluded.detail, released_at = NULL,
       released_by = NULL";

const STILL_BLOWN: &str = "
SELECT partition, detail FROM fuses
 WHERE topic = $1 AND released_at IS NULL AND until > now()";

const LIST: &str = "
SELECT topic, partition, blown_at, until, seen, rejected, detail, released_at, released_by,
       released_at IS NULL AND until > now() AS is_blown
  FROM fuses WHERE topic = $1 ORDER BY partition";

const RELEASE: &str = "
UPDATE fuses SET released_at = now(), released_by = $3
 WHERE topic = $1 AND (cardinality($2::int[]) = 0 OR partition = ANY($2))
   AND released_at IS NULL AND until > now()
RETURNING partition";

/// A row of `fuses`: the last time a lane's fuse blew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blown {
    pub topic: String,
    pub partition: Lane,
    pub blown_at: DateTime<Utc>,
    /// When the lane goes on by itself.
    pub until: DateTime<Utc>,
    /// Messages that were judged.
    pub seen: i64,
    pub rejected: i64,
    pub detail: String,
    /// When an operator let it go on earlier, and who.
    pub released_at: Option<DateTime<Utc>>,
    pub released_by: Option<String>,
    /// Whether the lane is stopped now.
    pub is_blown: bool,
}

impl FromRow<'_, PgRow> for Blown {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            blown_at: row.try_get("blown_at")?,
            until: row.try_get("until")?,
            seen: row.try_get("seen")?,
            rejected: row.try_get("rejected")?,
            detail: row.try_get("detail")?,
            released_at: row.try_get("released_at")?,
            released_by: row.try_get("released_by")?,
            is_blown: row.try_get("is_blown")?,
        })
    }
}

/// Which fuses are released, and by whom.
#[derive(Debug)]
pub struct Release<'a> {
    /// None: all of the topic.
    pub lanes: &'a [Lane],
    pub by: &'a str,
}

/// Stores that the fuses of these lanes have blown.
///
/// # Errors
///
/// What the database answers.
pub async fn blow(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    blown: &BTreeMap<Lane, Blow>,
    cooldown: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(BLOW)
        .bind(topic)
        .bind(cooldown.as_secs_f64())
        .bind(blown.keys().copied().collect::<Vec<_>>())
        .bind(blown.values().map(|b| b.seen as i64).collect::<Vec<_>>())
        .bind(
            blown
                .values()
                .map(|b| b.rejected as i64)
                .collect::<Vec<_>>(),
        )
        .bind(
            blown
                .values()
                .map(|b| b.detail.as_str())
                .collect::<Vec<_>>(),
        )
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The lanes of `topic` that must not be read now, and why.
///
/// # Errors
///
/// What the database answers.
pub async fn still_blown(
    executor: impl PgExecutor<'_>,
    topic: &str,
) -> Result<BTreeMap<Lane, String>, sqlx::Error> {
    let rows: Vec<(Lane, String)> = sqlx::query_as(STILL_BLOWN)
        .bind(topic)
        .fetch_all(executor)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Every lane of `topic` whose fuse ever blew, the last time it did.
///
/// # Errors
///
/// What the database answers.
pub async fn list(executor: impl PgExecutor<'_>, topic: &str) -> Result<Vec<Blown>, sqlx::Error> {
    sqlx::query_as(LIST).bind(topic).fetch_all(executor).await
}

/// Lets lanes go on, and answers which of them were stopped.
///
/// # Errors
///
/// What the database answers.
pub async fn release(
    executor: impl PgExecutor<'_>,
    topic: &str,
    release: &Release<'_>,
) -> Result<Vec<Lane>, sqlx::Error> {
    let rows: Vec<(Lane,)> = sqlx::query_as(RELEASE)
        .bind(topic)
        .bind(release.lanes)
        .bind(release.by)
        .fetch_all(executor)
        .await?;
    let mut lanes: Vec<Lane> = rows.into_iter().map(|(lane,)| lane).collect();
    lanes.sort_unstable();
    Ok(lanes)
}
