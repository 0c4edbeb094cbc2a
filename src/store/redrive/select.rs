use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, PgPool};

use crate::status::Reason;

/// Rejects that go through one transaction: enough that commits are no cost, few enough that one
/// the database refuses is found soon.
const CHUNK_ROWS: usize = 500;
/// Bytes of their values; a single one may be 1 MiB.
const CHUNK_BYTES: usize = 8 << 20;

/// Which rejects; what is absent does not narrow. Those that are redriven already are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub reason: Option<Reason>,
    /// In lower case.
    pub service: Option<String>,
    /// Rejected at this moment or after it.
    pub since: Option<DateTime<Utc>>,
    /// Rejected before this moment.
    pub until: Option<DateTime<Utc>>,
}

/// The length of a value is known without reading it.
const SELECT: &str = "
SELECT id, coalesce(octet_length(value), 0) FROM rejects
 WHERE redriven_at IS NULL
   AND ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR service = $2)
   AND ($3::timestamptz IS NULL OR received_at >= $3)
   AND ($4::timestamptz IS NULL OR received_at < $4)
 ORDER BY id";

const SELECT_IDS: &str = "
SELECT id, coalesce(octet_length(value), 0)
  FROM unnest($1::bigint[]) WITH ORDINALITY AS given(id, place) LEFT JOIN rejects USING (id)
 ORDER BY place";

/// Rejects in the order in which they were stored, or named, in chunks for [`super::Redriver::redrive`].
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    rows: Vec<(i64, i32)>,
    next: usize,
}

/// Looks for rejects, once: what comes later, or is rejected once more, is not met again.
///
/// # Errors
///
/// What the database answers.
pub async fn select(pool: &PgPool, selection: &Selection) -> Result<Chunks, sqlx::Error> {
    let rows = sqlx::query_as(SELECT)
        .bind(selection.reason.map(Reason::as_str))
        .bind(&selection.service)
        .bind(selection.since)
        .bind(selection.until)
        .fetch_all(pool)
        .await?;
    Ok(Chunks { rows, next: 0 })
}

/// These ones, whether they are there and redriven or not.
///
/// # Errors
///
/// What the database answers.
pub async fn select_ids(pool: &PgPool, ids: &[i64]) -> Result<Chunks, sqlx::Error> {
    let rows = sqlx::query_as(SELECT_IDS).bind(ids).fetch_all(pool).await?;
    Ok(Chunks { rows, next: 0 })
}

impl Chunks {
    /// Rejects in it altogether.
    pub fn total(&self) -> usize {
        self.rows.len()
    }
}

impl Iterator for Chunks {
    type Item = Vec<i64>;

    fn next(&mut self) -> Option<Vec<i64>> {
        let mut bytes = 0;
        let mut chunk = Vec::new();
        while let Some((id, length)) = self.rows.get(self.next) {
            bytes += usize::try_from(*length).unwrap_or(0);
            if !chunk.is_empty() && (bytes > CHUNK_BYTES || chunk.len() == CHUNK_ROWS) {
                break;
            }
            chunk.push(*id);
            self.next += 1;
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(rows: Vec<(i64, i32)>) -> Vec<usize> {
        Chunks { rows, next: 0 }.map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn chunks_end_by_rows_or_by_bytes() {
        assert_eq!(sizes(Vec::new()), [0; 0]);
        assert_eq!(
            sizes((0..1_001).map(|id| (id, 300)).collect()),
            [500, 500, 1]
        );
        let large = 5 << 20;
        assert_eq!(
            sizes(vec![(1, large), (2, large), (3, 1), (4, 9 << 20)]),
            [1, 2, 1]
        );
    }
}
