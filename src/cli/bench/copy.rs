//! The yardstick: the same rows, ready made, by COPY over one connection into the same tables.

use std::time::Instant;

use futures_util::TryStreamExt;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, Executor, Postgres};

use super::database::Database;
use super::report::Copy;
use crate::cli::Failure;

/// Each table with what reads its rows out, in the order in which they were inserted, and back in.
const TABLES: [(&str, &str); 3] = [
    (
        "COPY (SELECT * FROM payloads ORDER BY id) TO STDOUT",
        "COPY payloads FROM STDIN",
    ),
    (
        "COPY (SELECT * FROM payload_ids ORDER BY payload_id) TO STDOUT",
        "COPY payload_ids FROM STDIN",
    ),
    (
        "COPY (SELECT * FROM payload_statuses ORDER BY id) TO STDOUT",
        "COPY payload_statuses FROM STDIN",
    ),
];

/// Bytes handed to the driver at a time. It may wait for the network after each piece, so they are
/// few; and it copies a piece before it sends any of it, so there are several.
const PIECE: usize = 4 << 20;

/// Reads all rows into memory, empties the tables and copies the rows into them again.
///
/// # Errors
///
/// What the database answers.
pub(super) async fn again(database: &Database) -> Result<Copy, Failure> {
    let mut session = database.pool.acquire().await?;
    let mut tables = Vec::new();
    for (read, write) in TABLES {
        tables.push((write, read_out(&mut session, read).await?));
    }
    session
        .execute("TRUNCATE payloads, payload_ids, payload_statuses")
        .await?;
    database.settle().await?;
    let begun = Instant::now();
    let mut rows = 0;
    for (write, data) in tables {
        let mut copy = session.copy_in_raw(write).await?;
        for piece in data.chunks(PIECE) {
            copy.send(piece).await?;
        }
        rows += copy.finish().await?;
    }
    Ok(Copy {
        rows,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

async fn read_out(
    session: &mut PoolConnection<Postgres>,
    sql: &str,
) -> Result<Vec<u8>, sqlx::Error> {
    let rows = session.copy_out_raw(sql).await?;
    rows.try_fold(Vec::new(), |mut data, row| async move {
        data.extend_from_slice(&row);
        Ok(data)
    })
    .await
}
