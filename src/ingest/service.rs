//! `pt-consumer` as a process: the pipeline, and the port that says how it does.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use sea_orm::sqlx::{self, PgPool};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::health::Health;
use super::run::{Pipeline, RunError};
use crate::config;
use crate::store::session::{self, Role};
use crate::telemetry::metrics::{ConsumerMetrics, UpkeepMetrics};
use crate::telemetry::probes::{ReadyCheck, side_router};
use crate::telemetry::serve::{ListenError, listen, serve_until};
use crate::upkeep::learning::Learning;
use crate::upkeep::service::Upkeep;

/// Probes give up after a second or two.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Why the consumer ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Consumes until `stop`, answering probes and metrics meanwhile.
///
/// # Errors
///
/// [`ServiceError`]; what was not committed then is read again by the next start.
pub async fn serve(
    settings: config::Consumer,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let listener = listen("METRICSPORT", settings.metrics.port).await?;
    let registry = Registry::new();
    let db = session::connect(&settings.database, Role::Consumer);
    let pool = db.get_postgres_connection_pool().clone();
    let upkeep = Upkeep {
        database: settings.database.clone(),
        pool: pool.clone(),
        retention: settings.retention,
        metrics: Arc::new(UpkeepMetrics::new(&registry)?),
    };
    let learning = Learning {
        database: settings.database.clone(),
        metrics: upkeep.metrics.clone(),
    };
    let pipeline = Pipeline {
        kafka: settings.kafka,
        rules: settings.rules,
        limits: settings.ingest,
        fuse: settings.fuse,
        database: settings.database,
        pool: pool.clone(),
        metrics: Arc::new(ConsumerMetrics::new(&registry)?),
        health: Health::default(),
        log_messages: settings.log_messages,
    };
    let ready = ready_check(pipeline.health.clone(), pool);
    let router = side_router(ready, registry, &settings.metrics.path);
    info!(metrics = settings.metrics.port, "starting");

    let served = CancellationToken::new();
    let serving = tokio::spawn(serve_until(served.clone(), listener, router));
    let stop = stop.child_token();
    let upkept = ended(tokio::spawn(upkeep.run(served.clone())), &stop);
    let learnt = ended(tokio::spawn(learning.run(served.clone())), &stop);
    let consumed = async {
        let consumed = pipeline.run(stop.clone()).await;
        served.cancel();
        consumed
    };
    let (consumed, upkept, learnt) = tokio::join!(consumed, upkept, learnt);
    serving.await.ok();
    consumed?;
    Ok(upkept.and(learnt).map_err(RunError::Broken)?)
}

/// They run until they are told to end. One that panicked would be missed by nobody until partitions are
/// missing: it ends the process, as any other part does, after what is open is handed in.
async fn ended(beside: JoinHandle<()>, stop: &CancellationToken) -> Result<(), JoinError> {
    let ended = beside.await;
    stop.cancel();
    ended
}

/// The pipeline's own word first: it names what it waits for. Then the database is asked, since a
/// pipeline without messages does not notice that it went away.
fn ready_check(health: Health, pool: PgPool) -> ReadyCheck {
    Arc::new(move || {
        let (health, pool) = (health.clone(), pool.clone());
        Box::pin(async move {
            health.ready()?;
            let asked = sqlx::query("SELECT 1").execute(&pool);
            match timeout(ANSWERS_WITHIN, asked).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(format!("database: {error}")),
                Err(_) => Err("database: no answer within 1 s".into()),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_breaks_beside_the_consumer_ends_it() {
        let stop = CancellationToken::new();
        let broken = tokio::spawn(async { panic!("on purpose") });
        assert!(ended(broken, &stop).await.is_err());
        assert!(stop.is_cancelled());
    }
}
