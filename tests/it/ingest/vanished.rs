//! The database's host vanishes without a word, and another takes its place.

use std::time::{Duration, Instant};

use super::lab::{Lab, SOON, Totals, is_ready, numbered};
use crate::support::{Owing, Process, Proxy};

/// The least there is: silence of 5 s is the end of a session.
const TIMEOUT: (&str, &str) = ("DB_STATEMENT_TIMEOUT_MS", "2500");

/// The kernel would take a quarter of an hour.
const IN_TIME: Duration = Duration::from_secs(25);

async fn consumer_through(lab: &Lab, proxy: &Proxy, settings: &[(&str, &str)]) -> Process {
    let port = proxy.port().to_string();
    let mut all = vec![
        ("DB_PORT", port.as_str()),
        ("DB_HOST", "127.0.0.1"),
        TIMEOUT,
    ];
    all.extend_from_slice(settings);
    let consumer = lab.consumer(&all);
    is_ready(&consumer).await;
    consumer
}

/// With `sessions` that a batch may have.
async fn a_batch_is_stored_once(sessions: &str) {
    let lab = Lab::with_partitions(2).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let settings = [("DB_MAX_CONNECTIONS", sessions)];
    let consumer = consumer_through(&lab, &proxy, &settings).await;
    lab.kafka.send(None, numbered(0..100)).await;
    lab.passed(100, SOON).await;
    let owing = Owing::of("payload_statuses", lab.pool()).await;
    lab.kafka.send(None, numbered(100..5_000)).await;
    owing.vanish("pt-consumer", &proxy).await;
    let begun = Instant::now();
    assert_eq!(lab.passed(5_000, SOON).await, Totals::of(5_000));
    is_ready(&consumer).await;
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_server_vanishes_is_stored_once() {
    a_batch_is_stored_once("10").await;
}

/// It would have no other.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_session_is_replaced_when_its_server_vanishes() {
    a_batch_is_stored_once("1").await;
}

/// The task that looks at offsets goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_was_moved_is_noticed_after_the_server_vanished() {
    let lab = Lab::with_partitions(1).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let _consumer = consumer_through(&lab, &proxy, &[]).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.passed(10, SOON).await;
    let owing = Owing::of("consumer_offsets", lab.pool()).await;
    owing.vanish("pt-consumer", &proxy).await;
    lab.move_lane(0, 5).await;
    let begun = Instant::now();
    let totals = lab.passed(10, SOON).await;
    assert_eq!((totals.statuses, totals.stored), (15, 10));
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
}
