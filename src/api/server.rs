//! `pt-api` as a process: what it opens, serves and closes.

use std::time::Duration;

use prometheus::Registry;
use sea_orm::sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{App, Archive, Live, Reader, ready_check, router};
use crate::config::{self, Database};
use crate::store::session::{self, Role};
use crate::telemetry::metrics::ApiMetrics;
use crate::telemetry::probes::side_router;
use crate::telemetry::serve::{ListenError, listen, serve_until};

/// For cancelling and for probes.
const SPARE_SESSIONS: u32 = 2;

/// For the one task that looks for what is new, and for two listeners at once that come back.
const LIVE_SESSIONS: u32 = 3;

/// How soon a server that did not answer is asked again for its certificate.
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
    let reader = reader(replica.as_ref().unwrap_or(&database), &metrics);
    let of_live = Database {
        max_connections: LIVE_SESSIONS,
        ..database
    };
    let live = Live::new(
        self::reader(&of_live, &metrics),
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
fn reader(database: &Database, metrics: &ApiMetrics) -> Reader {
    let sessions = session::connect(database, Role::Api);
    let few = Database {
        max_connections: SPARE_SESSIONS,
        ..database.clone()
    };
    let spare = session::connect(&few, Role::Api);
    tokio::spawn(choose_authority(
        [&sessions, &spare].map(|db| db.get_postgres_connection_pool().clone()),
        database.clone(),
    ));
    Reader::new(sessions, spare, metrics.db_seconds.clone())
}

/// Beside the serving, since a start does not wait for the database.
async fn choose_authority(pools: [PgPool; 2], database: Database) {
    for pool in pools {
        while let Err(error) = session::choose_authority(&pool, &database, Role::Api).await {
            tracing::debug!(%error, "the server's certificate is not known yet");
            sleep(AGAIN).await;
        }
    }
}
