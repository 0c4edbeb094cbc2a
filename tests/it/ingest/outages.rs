//! The database goes away, or its connections do.

use std::time::{Duration, Instant};

use sea_orm::sqlx::{self, Executor};
use tokio_util::sync::CancellationToken;

use super::lab::{Lab, SOON, Totals, is_not_ready, is_ready, numbered, statuses};
use crate::support::{self, Process, Proxy, eventually};

/// The same lab, but the consumer reaches the database through a proxy.
fn consumer_through(lab: &Lab, proxy: &Proxy, settings: &[(&str, &str)]) -> Process {
    let port = proxy.port().to_string();
    let mut all = vec![("DB_PORT", port.as_str()), ("DB_HOST", "127.0.0.1")];
    all.extend_from_slice(settings);
    lab.consumer(&all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_database_stops_nothing_else_and_nothing_is_lost() {
    let mut server = support::own_server().await;
    let lab = Lab::on(&server, 2).await;
    let consumer = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "100")]).await;
    lab.kafka.send(None, numbered(0..500)).await;
    lab.passed(500, SOON).await;
    server.stop().await;
    lab.kafka.send(None, numbered(500..1_000)).await;
    is_not_ready(&consumer, "database").await;
    let (live, _) = consumer.probe("/live").await.unwrap();
    assert_eq!(live, 200);
    server.start().await;
    assert_eq!(lab.passed(1_000, SOON).await, Totals::of(1_000));
    is_ready(&consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_batches_pauses_the_lanes_and_keeps_the_group() {
    let lab = Lab::with_partitions(2).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let consumer = consumer_through(&lab, &proxy, &[("BATCH_MAX_MESSAGES", "50")]);
    is_ready(&consumer).await;
    proxy.refuse();
    lab.kafka.send(None, statuses(1_000)).await;
    eventually("paused", SOON, || async {
        consumer.log().contains("lanes paused").then_some(())
    })
    .await;
    proxy.restore();
    assert_eq!(lab.passed(1_000, SOON).await, Totals::of(1_000));
    assert!(!consumer.log().contains("lanes revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_at_any_moment_lose_and_double_nothing() {
    let lab = Lab::with_partitions(4).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let _consumer = consumer_through(&lab, &proxy, &[("BATCH_MAX_MESSAGES", "100")]);
    // Well within what the embedded broker keeps of one partition, should they all go there.
    lab.kafka.send(None, statuses(5_000)).await;
    let done = CancellationToken::new();
    let cut = async {
        // Cuts come while batches do: one whenever the count has moved on.
        let mut seen = 0;
        while !done.is_cancelled() {
            let passed = lab.totals().await.passed;
            if passed > seen {
                seen = passed;
                proxy.cut();
            }
            tokio::task::yield_now().await;
        }
        seen
    };
    let wait = async {
        let totals = lab.passed(5_000, Duration::from_secs(120)).await;
        done.cancel();
        totals
    };
    let (totals, _) = tokio::join!(wait, cut);
    assert_eq!(totals, Totals::of(5_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_settled_not_repeated() {
    let lab = Lab::with_partitions(2).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let consumer = consumer_through(&lab, &proxy, &[("BATCH_MAX_MESSAGES", "100")]);
    is_ready(&consumer).await;
    proxy.lose_answers(b"COMMIT", 10);
    lab.kafka.send(None, statuses(2_000)).await;
    assert_eq!(lab.passed(2_000, SOON).await, Totals::of(2_000));
    assert_eq!(proxy.answers_to_lose(), 0);
    assert!(!consumer.log().contains("another consumer moved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_backends_are_taken_for_what_they_are() {
    let lab = Lab::with_partitions(2).await;
    let consumer = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "100")]).await;
    lab.kafka.send(None, statuses(5_000)).await;
    let pool = lab.pool();
    // A kill whenever the count has moved on.
    let (mut seen, began) = (0, Instant::now());
    while seen < 5_000 {
        assert!(began.elapsed() < 2 * SOON, "it stands still at {seen}");
        let passed = lab.totals().await.passed;
        if passed > seen {
            seen = passed;
            sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE application_name = 'pt-consumer' AND datname = current_database()",
            )
            .execute(pool)
            .await
            .unwrap();
        }
    }
    let failed = consumer.log().matches("waits for the database").count();
    assert!(failed > 0, "no backend was killed while it worked");
    assert_eq!(lab.totals().await, Totals::of(5_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_in_time_without_the_database_too() {
    let lab = Lab::with_partitions(1).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let mut consumer = consumer_through(&lab, &proxy, &[]);
    is_ready(&consumer).await;
    proxy.refuse();
    lab.kafka.send(Some(0), statuses(10)).await;
    eventually("the batch waits", SOON, || async {
        consumer
            .log()
            .contains("waits for the database")
            .then_some(())
    })
    .await;
    assert!(consumer.terminate().await.success());
    let _next = lab.ready_consumer(&[]).await;
    assert_eq!(lab.passed(10, SOON).await, Totals::of(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_database_waits_for_it() {
    let lab = Lab::with_partitions(1).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    proxy.refuse();
    let consumer = consumer_through(&lab, &proxy, &[]);
    is_not_ready(&consumer, "database").await;
    lab.kafka.send(Some(0), statuses(10)).await;
    proxy.restore();
    is_ready(&consumer).await;
    assert_eq!(lab.passed(10, SOON).await, Totals::of(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_lock_delays_a_batch_and_no_more() {
    let lab = Lab::with_partitions(1).await;
    let consumer = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), numbered(0..5)).await;
    lab.passed(5, SOON).await;
    let mut holder = lab.pool().begin().await.unwrap();
    holder
        .execute("LOCK TABLE payload_statuses IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    lab.kafka.send(Some(0), numbered(5..10)).await;
    eventually("the lock timeout", SOON, || async {
        consumer.log().contains("lock timeout").then_some(())
    })
    .await;
    holder.rollback().await.unwrap();
    assert_eq!(lab.passed(10, SOON).await, Totals::of(10));
}
