//! Offsets that hold no message for us: what the log no longer has, and what transactions leave in it.

use std::time::Duration;

use chrono::Utc;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sea_orm::sqlx;

use super::lab::{Lab, SOON, Totals, is_ready, statuses};
use crate::support::{Proxy, eventually};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Good messages of 10 kB: of 700 the embedded broker keeps the last 500.
fn bulky(messages: usize) -> impl Iterator<Item = Vec<u8>> {
    let date = Utc::now().to_rfc3339();
    let trace = "x".repeat(10_000);
    (0..messages).map(move |number| {
        format!(
            r#"{{"service":"puptoo","status":"error","org_id":"1","request_id":"{number:032x}",
                "date":"{date}","status_msg":"{trace}"}}"#
        )
        .into_bytes()
    })
}

async fn gap(lab: &Lab) -> i64 {
    sqlx::query_scalar("SELECT gap FROM consumer_offsets")
        .fetch_one(lab.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_below_the_log_goes_on_at_its_start_and_counts_what_is_missing() {
    let lab = Lab::with_partitions(1).await;
    lab.store_start(0).await;
    lab.kafka.send(Some(0), bulky(700)).await;
    let low = lab.kafka.forget_beginning(0, 100).await;
    assert!(low > 0);
    let consumer = lab
        .ready_consumer(&[("KAFKA_AUTO_OFFSET_RESET", "latest")])
        .await;
    let totals = lab.passed(700, SOON).await;
    assert_eq!(
        (totals.skipped, totals.stored, totals.statuses),
        (low, 700 - low, 700 - low)
    );
    assert_eq!(gap(&lab).await, low);
    let said = format!(r#""missing":{low}"#);
    assert!(consumer.log().contains(&said), "{}", consumer.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_vanish_while_a_lane_is_paused_are_a_gap_not_a_jump() {
    let lab = Lab::with_partitions(1).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let port = proxy.port().to_string();
    let consumer = lab.consumer(&[("DB_PORT", &port), ("BATCH_MAX_MESSAGES", "50")]);
    is_ready(&consumer).await;
    proxy.refuse();
    lab.kafka.send(Some(0), bulky(200)).await;
    eventually("paused", SOON, || async {
        consumer.log().contains("lanes paused").then_some(())
    })
    .await;
    lab.kafka.send(Some(0), bulky(700)).await;
    let low = lab.kafka.forget_beginning(0, 300).await;
    proxy.restore();
    let totals = lab.passed(900, SOON).await;
    // Two batches were in memory when the rest went.
    assert_eq!(gap(&lab).await, low - 100);
    assert_eq!(totals.stored, 900 - (low - 100));
    assert_eq!(totals.statuses, totals.stored);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn transaction_markers_and_what_was_aborted_are_skipped_and_counted() {
    let lab = Lab::with_partitions(1).await;
    let _consumer = lab.ready_consumer(&[]).await;
    let kafka = lab.kafka.client();
    let topic = lab.kafka.topic.clone();
    tokio::task::spawn_blocking(move || transactions(kafka, &topic))
        .await
        .unwrap();
    // The last marker is passed with the message behind it.
    lab.kafka.send(Some(0), statuses(1)).await;
    let expected = Totals {
        statuses: 8,
        origins: 8,
        stored: 8,
        skipped: 6,
        passed: 14,
        ..Totals::default()
    };
    assert_eq!(lab.passed(14, SOON).await, expected);
    assert_eq!(gap(&lab).await, 0);
}

/// Five messages and a marker, three aborted ones and a marker, two and a marker.
fn transactions(mut config: rdkafka::ClientConfig, topic: &str) {
    config.set("transactional.id", topic);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    for (messages, commit) in [(5, true), (3, false), (2, true)] {
        producer.begin_transaction().unwrap();
        for value in statuses(messages) {
            let record = BaseRecord::<(), _>::to(topic).payload(&value).partition(0);
            producer.send(record).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
        if commit {
            producer.commit_transaction(TIMEOUT).unwrap();
        } else {
            producer.abort_transaction(TIMEOUT).unwrap();
        }
    }
}
