//! Rounds beside the consumer, for as long as it runs. Nothing that fails here ends anything.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use chrono::{DateTime, Timelike, Utc};
use rand::Rng;
use sea_orm::sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::session::unless_silent;
use super::{Event, Outcome, Round};
use crate::config::{Database, Retention};
use crate::store::producers;
use crate::telemetry::metrics::UpkeepMetrics;

/// After each full hour: consumers do not come all at once, and no job of somebody's is met.
const SPREAD: Duration = Duration::from_secs(60);

/// When to look again, where another process is at it.
const ELSEWHERE: Duration = Duration::from_secs(60);

/// The upkeep of one process.
#[derive(Clone, Debug)]
pub struct Upkeep {
    pub database: Database,
    /// Sessions of the consumer.
    pub pool: PgPool,
    pub retention: Retention,
    pub metrics: Arc<UpkeepMetrics>,
}

impl Upkeep {
    /// A round at once and then each hour, until `stop`. One that fails is tried again, with pauses
    /// that grow from a second to five minutes.
    pub async fn run(self, stop: CancellationToken) {
        let rounds = async {
            let mut pauses = backoff();
            loop {
                let pause = self.round(&mut pauses).await;
                sleep(pause).await;
            }
        };
        // Dropped wherever it is: its session ends, and with it the lock.
        tokio::select! {
            () = rounds => {}
            () = stop.cancelled() => {}
        }
        self.metrics.running.set(0);
    }

    /// How long to pause after it.
    async fn round(&self, pauses: &mut ExponentialBackoff) -> Duration {
        let mut tell = |event: Event| {
            self.metrics.happened(&event);
            log(&event);
        };
        let ended = Round::run(&self.database, &self.retention, &mut tell).await;
        if matches!(ended, Ok(Outcome::Done)) {
            self.judge().await;
        }
        self.metrics.ended(&ended);
        match ended {
            Ok(outcome) => {
                *pauses = backoff();
                debug!(?outcome, "upkeep");
                match outcome {
                    Outcome::Done => until_next_hour(Utc::now()) + spread(),
                    Outcome::Elsewhere => ELSEWHERE + spread(),
                }
            }
            Err(error) => {
                let pause = pauses.next().unwrap_or(Duration::from_secs(300));
                warn!(%error, again_in_seconds = pause.as_secs(), "upkeep");
                pause
            }
        }
    }

    /// Judges each hour of the producers' that is over. What fails is left to the next round.
    async fn judge(&self) {
        loop {
            let judged = producers::judge(&self.pool, Utc::now());
            let judged = unless_silent(self.database.answer_timeout(), judged).await;
            match judged.flatten() {
                Ok(Some(hour)) => debug!(%hour, "the hour's messages are judged"),
                Ok(None) => return,
                Err(error) => {
                    self.metrics.failures.with_label_values(&["judge"]).inc();
                    warn!(%error, "an hour's messages could not be judged");
                    return;
                }
            }
        }
    }
}

fn log(event: &Event) {
    match event {
        Event::Began | Event::Span { .. } | Event::Step { .. } => debug!("{event}"),
        Event::Made { .. }
        | Event::Detached { .. }
        | Event::Dropped { .. }
        | Event::Slow { .. }
        | Event::Busy { .. }
        | Event::Walked { .. } => info!("{event}"),
        Event::Default { .. }
        | Event::Covered { .. }
        | Event::Refused { .. }
        | Event::Failed { .. } => warn!("{event}"),
    }
}

fn until_next_hour(now: DateTime<Utc>) -> Duration {
    let into = now.minute() * 60 + now.second();
    Duration::from_secs(u64::from(3_600 - into.min(3_599)))
}

fn spread() -> Duration {
    SPREAD.mul_f64(rand::rng().random_range(0.0..1.0))
}

fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(300))
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_after_each_full_hour() {
        let wait = |now: &str| until_next_hour(now.parse().unwrap()).as_secs();
        assert_eq!(wait("2026-03-05T00:00:00Z"), 3_600);
        assert_eq!(wait("2026-03-05T00:59:59.9Z"), 1);
        assert_eq!(wait("2026-03-05T23:30:00Z"), 1_800);
    }
}
