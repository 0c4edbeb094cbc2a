//! Can the API answer? Whether the database is there, and has the tables.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::{self, PgPool};
use tokio::time::timeout;

use super::reading::Reader;
use crate::store::lent::{forget_idle, lend};
use crate::telemetry::probes::ReadyCheck;

/// Probes give up after a second or two.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Looked up by name rather than selected from: a migration that holds a table for a moment does not
/// make the API unready.
const MISSING_TABLES: &str = "SELECT name FROM unnest(ARRAY['payloads', 'payload_ids', 'payload_statuses', \
     'services', 'sources', 'statuses', 'rejects', 'redrives', 'producer_hours', 'status_classes']) AS name WHERE to_regclass(name) IS NULL";

/// Asks the database, on a session that waiting requests cannot take, for up to 1 s.
pub fn ready_check(reader: &Reader) -> ReadyCheck {
    let spare = reader.spare().clone();
    Arc::new(move || {
        let spare = spare.clone();
        Box::pin(async move { ready(&spare).await })
    })
}

async fn ready(spare: &PgPool) -> Result<(), String> {
    let missing = timeout(ANSWERS_WITHIN, missing_tables(spare))
        .await
        .map_err(|_| {
            forget_idle(spare);
            "the database does not answer within 1 s".to_owned()
        })?
        .map_err(|error| format!("the database does not answer: {error}"))?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the database has no table {}: run `pt migrate up`",
            missing.join(", ")
        ))
    }
}

async fn missing_tables(spare: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let mut session = lend(spare).await?;
    let missing = sqlx::query_scalar(MISSING_TABLES);
    missing.fetch_all(&mut *session).await
}
