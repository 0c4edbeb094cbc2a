//! Beside the consumer: learns what explain, failures and stuck answer from.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use sea_orm::sqlx;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::session::{Lock, Session, unless_silent};
use crate::config::Database;
use crate::store::learning::{failures, hours, rollup, stuck};
use crate::telemetry::metrics::UpkeepMetrics;

/// Between two rounds, if they are short, and after one that failed.
const PAUSE: Duration = Duration::from_secs(10);

/// A round is followed by a pause so many times as long: it takes a fifth of a core at most.
const REST: u32 = 4;

/// When to try again, where another process is at it.
const ELSEWHERE: Duration = Duration::from_secs(30);

/// The learning of one process.
#[derive(Clone, Debug)]
pub struct Learning {
    pub database: Database,
    pub metrics: Arc<UpkeepMetrics>,
}

impl Learning {
    /// Rounds until `stop`, in a session that holds a lock, so that one process at a time is at it.
    /// What fails ends the session, and another is tried.
    pub async fn run(self, stop: CancellationToken) {
        let sessions = async {
            loop {
                let pause = match self.rounds().await {
                    Ok(()) => ELSEWHERE,
                    Err(error) => {
                        self.metrics.failures.with_label_values(&["learning"]).inc();
                        warn!(%error, "what payloads do could not be learnt, trying again");
                        PAUSE
                    }
                };
                sleep(pause).await;
            }
        };
        // Dropped wherever it is: its session ends, and with it the lock.
        tokio::select! {
            () = sessions => {}
            () = stop.cancelled() => {}
        }
    }

    /// Ends at once where another process is at it, else with the first failure.
    async fn rounds(&self) -> Result<(), sqlx::Error> {
        let limit = self.database.answer_timeout();
        let opened = unless_silent(limit, Session::open(&self.database, Lock::Learning));
        let Some((mut session, _)) = opened.await.flatten()? else {
            return Ok(());
        };
        loop {
            let begun = Instant::now();
            let more = unless_silent(limit, round(&mut session)).await.flatten()?;
            let pause = if more { Duration::ZERO } else { PAUSE };
            self.metrics.learnt.set(Utc::now().timestamp());
            let took = begun.elapsed();
            debug!(millis = took.as_millis(), "learnt what payloads do");
            sleep(pause.max(took * REST)).await;
        }
    }
}

/// New failures, payloads that may be stuck, and one hour of statistics, of which there are many at a first start. Whether more is
/// waiting.
async fn round(session: &mut Session) -> Result<bool, sqlx::Error> {
    let session = session.connection();
    failures::refresh(session, Utc::now()).await?;
    let more = stuck::refresh(session, Utc::now()).await?;
    let due = hours::due(session, Utc::now()).await?;
    if let Some(hour) = due.first() {
        hours::learn(session, *hour, Utc::now()).await?;
        rollup::roll_up(session, Utc::now()).await?;
    }
    Ok(more || due.len() > 1)
}
