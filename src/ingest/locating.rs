//! The task that finds out where lanes start.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::Report;
use super::health::{Health, Task};
use super::locate::{LocateError, Located, Locator};
use super::pauses::Pauses;
use crate::store::batch::Lane;
use crate::store::failure::{self, Failure};
use crate::telemetry::metrics::ConsumerMetrics;

/// What Kafka and the database have not answered after this they never will.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How often lanes are looked at that cannot start: whether a blown fuse has been released or has cooled
/// down, and whether the topic has got back a partition that it lost.
const HELD_INTERVAL: Duration = Duration::from_secs(1);

pub struct Locating {
    pub locator: Locator,
    pub health: Health,
    pub metrics: Arc<ConsumerMetrics>,
}

impl Locating {
    /// Until nothing more is asked.
    pub async fn run(self, mut wanted: watch::Receiver<Vec<Lane>>, report: mpsc::Sender<Report>) {
        while wanted.changed().await.is_ok() {
            let starts = self.starts(&mut wanted).await;
            if !starts.is_empty() && report.send(Report::Located(starts)).is_err() {
                break;
            }
        }
    }

    /// Tries until some of the lanes can start that are wanted by then, or none is wanted any more.
    async fn starts(&self, wanted: &mut watch::Receiver<Vec<Lane>>) -> BTreeMap<Lane, i64> {
        let mut pauses = Pauses::new();
        loop {
            let lanes = wanted.borrow_and_update().clone();
            if lanes.is_empty() {
                return self.tell(Located::default());
            }
            let located = timeout(ANSWER_TIMEOUT, self.locator.locate(&lanes));
            match located.await.unwrap_or(Err(LocateError::Silent)) {
                Ok(located) => {
                    self.health.database_back(Task::Locating);
                    let starts = self.tell(located);
                    if !starts.is_empty() {
                        return starts;
                    }
                    tokio::select! {
                        () = sleep(HELD_INTERVAL) => {}
                        changed = wanted.changed() => if changed.is_err() {
                            return BTreeMap::new();
                        },
                    }
                }
                Err(error) => {
                    self.refused(&error, &lanes);
                    pauses.wait().await;
                }
            }
        }
    }

    /// What keeps lanes from starting goes to the probes; answers those that start.
    fn tell(&self, located: Located) -> BTreeMap<Lane, i64> {
        self.metrics.fuses(located.fused.keys());
        self.health.fuses(located.fused);
        let lanes = located.absent;
        if self.health.absent(lanes.clone()) && !lanes.is_empty() {
            warn!(?lanes, "the topic does not have these lanes any more");
        }
        located.starts
    }

    fn refused(&self, error: &LocateError, lanes: &[Lane]) {
        if let LocateError::Database(refusal) = error {
            self.health
                .database_away(Task::Locating, refusal.to_string());
            if failure::classify(refusal) == Failure::Stalled {
                error!(%error, ?lanes, "lanes are held until somebody mends the database");
                return;
            }
        }
        warn!(%error, ?lanes, "lanes wait for their start");
    }
}
