//! The learning that runs beside the consumer.

use std::sync::Arc;
use std::time::Duration;

use payload_tracker::telemetry::metrics::UpkeepMetrics;
use payload_tracker::upkeep::learning::Learning;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use super::fixture::Site;
use crate::ingest::lab::{SOON, is_ready};
use crate::support::{self, Process, eventually};

const LOCKS: &str = "pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database()";

#[tokio::test(flavor = "multi_thread")]
async fn one_process_learns_what_is_stored_and_leaves_the_lock_behind() {
    let site = Site::new().await;
    site.partitions([0, 1]).await;
    site.run(
        "INSERT INTO services (name) VALUES ('puptoo');
         INSERT INTO statuses (name) VALUES ('error');
         INSERT INTO payloads (request_id, created_at) VALUES ('r', now() - interval '20 minutes');
         INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date)
         VALUES (1, 1, 1, 'row 5 is bad', now() - interval '20 minutes')",
    )
    .await;
    let stop = CancellationToken::new();
    let learning = || Learning {
        database: site.database.config(),
        metrics: Arc::new(UpkeepMetrics::new(&Registry::new()).unwrap()),
    };
    let (first, second) = (learning(), learning());
    let metrics = [first.metrics.clone(), second.metrics.clone()];
    let running = [first, second].map(|learning| tokio::spawn(learning.run(stop.clone())));
    let learnt = "failures WHERE text = 'row <n> is bad' AND EXISTS (
        SELECT FROM step_statistics WHERE passed = 1 AND ended = 1)";
    eventually(
        "what was stored is learnt",
        Duration::from_secs(30),
        || async { (site.count(learnt).await == 1).then_some(()) },
    )
    .await;
    assert_eq!(site.count(LOCKS).await, 1);
    assert_eq!(
        metrics
            .iter()
            .filter(|metrics| metrics.learnt.get() > 0)
            .count(),
        1
    );
    stop.cancel();
    for running in running {
        running.await.unwrap();
    }
    eventually("the lock is free", Duration::from_secs(10), || async {
        (site.count(LOCKS).await == 0).then_some(())
    })
    .await;
}

/// Whether this process has learnt something.
async fn learns(consumer: &Process) -> bool {
    let name = "payload_tracker_learning_last_success_timestamp_seconds ";
    let metrics = consumer.probe("/metrics").await;
    let text = metrics.map_or_else(String::new, |(_, text)| text);
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.any(|when| when != "0")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_left_learns_on_when_the_one_that_learnt_is_killed() {
    let site = Site::new().await;
    let kafka = support::kafka().await;
    kafka.create_topic(2).await;
    let spawn = || {
        let env = site.database.env().into_iter().chain(kafka.env());
        Process::spawn("pt-consumer", env)
    };
    let mut first = spawn();
    eventually("the first learns", SOON, || async {
        learns(&first).await.then_some(())
    })
    .await;
    let second = spawn();
    is_ready(&second).await;
    assert!(!learns(&second).await, "the first holds the lock");
    first.kill9().await;
    // It looks for the lock each 30 s.
    eventually("the second learns", Duration::from_secs(60), || async {
        learns(&second).await.then_some(())
    })
    .await;
}
