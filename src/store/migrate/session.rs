use std::io::ErrorKind;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnection, PgPoolOptions};
use sea_orm::sqlx::{self, Connection, Executor};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use tokio::time::timeout;

use super::{MigrateError, Progress};

/// Whoever holds it migrates; the number is the project's own.
const ADVISORY_LOCK: &str = "SELECT pg_try_advisory_lock(8097887111620944898)";

const POLL: Duration = Duration::from_millis(100);

/// How long a server that does not answer is waited for.
const REACH: Duration = Duration::from_secs(10);

/// For days, one after the other: nothing may take a session from a migration that has begun.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A pool of exactly one session that holds the advisory lock, to the server of `db`'s sessions.
///
/// The lock belongs to a session, and a pool lends whichever is free: with more than one, the steps
/// would run in sessions that do not hold it. It is taken as a session begins, so that one which
/// replaces a broken one holds it too.
pub(super) async fn open(
    db: &DatabaseConnection,
    progress: &Progress,
) -> Result<DatabaseConnection, MigrateError> {
    reach(db).await?;
    let options = db.get_postgres_connection_pool().connect_options();
    let progress = progress.clone();
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(FOREVER)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |session, _| {
            let progress = progress.clone();
            Box::pin(async move { prepare(session, &progress).await })
        })
        .connect_with((*options).clone())
        .await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// Says soon, and why, if there is no session to be had: a pool only says that it waited.
pub(super) async fn reach(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let options = db.get_postgres_connection_pool().connect_options();
    let unreachable = |source| MigrateError::Unreachable {
        database: format!(
            "{} at {}:{}",
            options.get_database().unwrap_or("(default)"),
            options.get_host(),
            options.get_port()
        ),
        source,
    };
    let session = timeout(REACH, PgConnection::connect_with(&options))
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))
        .map_err(unreachable)?;
    session.close().await.map_err(unreachable)
}

async fn prepare(session: &mut PgConnection, progress: &Progress) -> Result<(), sqlx::Error> {
    // Building an index takes as long as it takes, and waits for old transactions meanwhile.
    session
        .execute(
            "SET statement_timeout = 0; SET lock_timeout = 0; \
             SET TimeZone = 'UTC'; SET search_path = public",
        )
        .await?;
    let mut told = false;
    // Asked for again and again instead of waited for: a waiting statement holds a snapshot, and
    // CREATE INDEX CONCURRENTLY in the session that has the lock would wait for that one.
    while !sqlx::query_scalar::<_, bool>(ADVISORY_LOCK)
        .fetch_one(&mut *session)
        .await?
    {
        if !told {
            progress.tell("another pt migrate is at work, waiting for it to end");
            told = true;
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
