//! The task that looks at the stored offsets from time to time: somebody else may have moved them, an operator
//! or a restore, and a lane without new messages has no batch to be fenced.

use std::sync::mpsc;
use std::time::Duration;

use sea_orm::sqlx::PgPool;
use tokio::time::{sleep, timeout};

use super::Report;
use crate::store::offsets;

/// A lane that was moved is noticed at the second look.
const INTERVAL: Duration = Duration::from_secs(5);

/// Until nobody listens any more. A database that does not answer is the other tasks' to report.
pub async fn run(pool: PgPool, topic: String, report: mpsc::Sender<Report>) {
    loop {
        sleep(INTERVAL).await;
        let Ok(Ok(stored)) = timeout(INTERVAL, offsets::stored(&pool, &topic)).await else {
            continue;
        };
        if report.send(Report::Stored(stored)).is_err() {
            return;
        }
    }
}
