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

/// The moments at which each lane's offset had moved.
pub type Moments = BTreeMap<i32, Vec<Instant>>;

/// Notes when each lane moves.
pub struct Progress {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<Moments>,
}

impl Progress {
    pub fn watch(pool: PgPool) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let watching = tokio::spawn(async move {
            let (mut moments, mut last) = (Moments::new(), BTreeMap::new());
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                for (lane, next) in next_offsets(&pool).await {
                    if last.insert(lane, next) != Some(next) {
                        moments.entry(lane).or_default().push(Instant::now());
                    }
                }
                sleep(LOOK).await;
            }
            moments
        });
        Self { stop, watching }
    }

    pub async fn finish(self) -> Moments {
        self.stop.send(()).ok();
        self.watching.await.unwrap()
    }
}

/// The longest time for which a lane did not move, of those that began before `until` and ended after `begun`; what
/// lies before `begun` does not count.
pub fn longest_stall(moments: &Moments, begun: Instant, until: Instant) -> Duration {
    moments
        .values()
        .flat_map(|lane| lane.windows(2))
        .filter(|pair| pair[0] < until && pair[1] > begun)
        .map(|pair| pair[1] - pair[0].max(begun))
        .max()
        .unwrap_or_default()
}

#[test]
fn a_stall_counts_from_its_fault_on_and_to_its_own_end() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let busy = (0..=20).map(at).collect();
    let moments = Moments::from([(0, busy), (1, vec![at(0), at(10), at(11), at(20)])]);
    let stall = |begun, until| longest_stall(&moments, at(begun), at(until)).as_secs();
    assert_eq!(stall(4, 8), 6, "not what was before the fault");
    assert_eq!(stall(10, 12), 9, "also what lasts beyond the next fault");
    assert_eq!(stall(10, 11), 1);
    assert_eq!(stall(20, 30), 0, "nothing comes after the end");
}
