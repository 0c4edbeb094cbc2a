use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::sqlx::{self, PgPool};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How often the stored offsets are looked at.
pub const LOOK: Duration = Duration::from_millis(50);

/// Offsets passed; none while the database is away.
pub async fn passed(pool: &PgPool) -> Option<i64> {
    let sum = sqlx::query_scalar(
        "SELECT coalesce(sum(next_offset - first_offset), 0)::bigint FROM consumer_offsets",
    );
    let asked = timeout(Duration::from_secs(2), sum.fetch_one(pool));
    asked.await.ok()?.ok()
}

/// Where each lane goes on; empty while the database is away.
pub async fn next_offsets(pool: &PgPool) -> BTreeMap<i32, i64> {
    let rows: Vec<(i32, i64)> =
        sqlx::query_as("SELECT partition, next_offset FROM consumer_offsets")
            .fetch_all(pool)
            .await
            .unwrap_or_default();
    rows.into_iter().collect()
}

/// Notes the moments at which more was stored than before.
pub struct Progress {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<Vec<Instant>>,
}

impl Progress {
    pub fn watch(pool: PgPool) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let watching = tokio::spawn(async move {
            let (mut moments, mut last) = (vec![Instant::now()], 0);
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                if let Some(now) = passed(&pool).await
                    && now > last
                {
                    last = now;
                    moments.push(Instant::now());
                }
                sleep(LOOK).await;
            }
            moments
        });
        Self { stop, watching }
    }

    pub async fn finish(self) -> Vec<Instant> {
        self.stop.send(()).ok();
        self.watching.await.unwrap()
    }
}

/// The longest time without progress that began before `until` and ended after `begun`; what lies before
/// `begun` does not count.
pub fn longest_stall(moments: &[Instant], begun: Instant, until: Instant) -> Duration {
    moments
        .windows(2)
        .filter(|pair| pair[0] < until && pair[1] > begun)
        .map(|pair| pair[1] - pair[0].max(begun))
        .max()
        .unwrap_or_default()
}

#[test]
fn a_stall_counts_from_its_fault_on_and_to_its_own_end() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let moments = [at(0), at(10), at(11), at(20)];
    let stall = |begun, until| longest_stall(&moments, at(begun), at(until)).as_secs();
    assert_eq!(stall(4, 8), 6, "not what was before the fault");
    assert_eq!(stall(10, 12), 9, "also what lasts beyond the next fault");
    assert_eq!(stall(10, 11), 1);
    assert_eq!(stall(20, 30), 0);
}
