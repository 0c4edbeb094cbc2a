//! `pt-api` as a process: what it opens, serves and closes.

use std::time::Duration;

use prometheus::Registry;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{App, Archive, Live, Reader, Sessions, ready_check, router};
use crate::config::{self, Database};
use crate::telemetry::metrics::ApiMetrics;
use crate::telemetry::probes::side_router;
use crate::telemetry::serve::{ListenError, listen, serve_until};

/// Sessions for lists, and for lookups, that stay open while nobody asks.
const WARM_SESSIONS: u32 = 4;

/// Half of them for lists: for the one task that looks for what is new, and for two listeners at once that
/// come back.
const LIVE_SESSIONS: u32 = 6;

/// How soon a server that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the API cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the client of storage-broker: {0}")]
    Archive(#[from] reqwest::Error),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves both ports until `stop` is cancelled, then lets open requests end.
///
/// The database is not needed for a start: until it is there, `/ready` says so.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(settings: config::Api, stop: CancellationToken) -> Result<(), ServeError> {
    let config::Api {
        http,
        database,
        replica,
        archive,
        kibana,
    } = settings;
    let registry = Registry::new();
    let metrics = ApiMetrics::new(&registry)?;
    let reader = reader(
        replica.as_ref().unwrap_or(&database),
        WARM_SESSIONS,
        &metrics,
    );
    let of_live = Database {
        max_connections: LIVE_SESSIONS,
        ..database
    };
    let live = Live::new(
        self::reader(&of_live, 0, &metrics),
        metrics.clone(),
        stop.clone(),
    );
    let ready = ready_check(&reader);
    let public = router(
        App::new(reader, live, metrics, Archive::new(archive)?, kibana),
        ready.clone(),
        &http,
    );
    let side = side_router(ready, registry, &http.metrics_path);
    let public_port = listen("PUBLICPORT", http.public_port).await?;
    let side_port = listen("METRICSPORT", http.metrics_port).await?;
    tracing::info!(
        public = http.public_port,
        metrics = http.metrics_port,
        "serving"
    );
    tokio::join!(
        serve_until(stop.clone(), public_port, public),
        serve_until(stop, side_port, side)
    );
    Ok(())
}

/// Of one server: a question is cancelled where it is asked.
fn reader(database: &Database, warm: u32, metrics: &ApiMetrics) -> Reader {
    let sessions = Sessions::with(database, warm);
    tokio::spawn(prepare(sessions.clone(), database.clone()));
    Reader::new(sessions, metrics.db_seconds.clone())
}

/// Beside the serving, since a start does not wait for the database.
async fn prepare(sessions: Sessions, database: Database) {
    while let Err(error) = sessions.prepare(&database).await {
        tracing::debug!(%error, "no session can be opened yet");
        sleep(AGAIN).await;
    }
}
