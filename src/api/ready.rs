//! Can the API answer? Whether the database is there, and has the tables.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::time::timeout;

use super::reading::Reader;
use crate::telemetry::probes::ReadyCheck;

/// Probes give up after a second or two.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Looked up by name rather than selected from: a migration that holds a table for a moment does not
/// make the API unready.
const MISSING_TABLES: &str = "SELECT name FROM unnest(ARRAY['payloads', 'payload_ids', 'payload_statuses', \
     'services', 'sources', 'statuses', 'rejects', 'redrives', 'producer_hours', 'status_classes']) AS name WHERE to_regclass(name) IS NULL";

/// Asks the database, on a session that waiting requests cannot take, for up to 1 s.
pub fn ready_check(reader: &Reader) -> ReadyCheck {
    let session = reader.spare().clone();
    Arc::new(move || {
        let session = session.clone();
        Box::pin(async move { ready(&session).await })
    })
}

async fn ready(session: &DatabaseConnection) -> Result<(), String> {
    let missing = timeout(ANSWERS_WITHIN, missing_tables(session))
        .await
        .map_err(|_| "the database does not answer within 1 s".to_owned())?
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

async fn missing_tables(session: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let rows = session
        .query_all_raw(Statement::from_string(DbBackend::Postgres, MISSING_TABLES))
        .await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
