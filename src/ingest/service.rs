//! `pt-consumer` as a process: the pipeline, and the port that says how it does.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounter, Registry};
use sea_orm::sqlx::{self, PgPool};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

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

/// How soon what met a defect begins again: it may meet it at once.
const AGAIN: Duration = Duration::from_secs(60);

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
    let failures = upkeep.metrics.failures.clone();
    let kept = |name| Kept {
        name,
        failed: failures.with_label_values(&[name]),
        pause: AGAIN,
        stop: served.clone(),
    };
    let upkept = kept("upkeep").run({
        let served = served.clone();
        move || upkeep.clone().run(served.clone())
    });
    let learnt = kept("learning").run({
        let served = served.clone();
        move || learning.clone().run(served.clone())
    });
    let beside = [tokio::spawn(upkept), tokio::spawn(learnt)];
    let consumed = pipeline.run(stop).await;
    served.cancel();
    for ended in beside.into_iter().chain([serving]) {
        ended.await.ok();
    }
    Ok(consumed?)
}

/// What goes on beside the consumer until it is told to end.
struct Kept {
    name: &'static str,
    failed: IntCounter,
    pause: Duration,
    stop: CancellationToken,
}

impl Kept {
    /// Begins it, and again after it met a defect: no reason to store no messages, and no reason to keep no
    /// partitions from then on.
    async fn run<F>(self, begin: impl Fn() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while let Err(error) = tokio::spawn(begin()).await {
            self.failed.inc();
            error!(%error, "the {} met a defect and begins again", self.name);
            tokio::select! {
                () = sleep(self.pause) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_breaks_beside_the_consumer_begins_again() {
        let failed = IntCounter::new("failed", "failed").unwrap();
        let kept = Kept {
            name: "test",
            failed: failed.clone(),
            pause: Duration::ZERO,
            stop: CancellationToken::new(),
        };
        let begun = AtomicU32::new(0);
        let begin = || {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            async move { assert!(number >= 3, "on purpose") }
        };
        kept.run(begin).await;
        assert_eq!((begun.load(Ordering::Relaxed), failed.get()), (4, 3));
    }
}
