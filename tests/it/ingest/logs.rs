//! Stored offsets that no longer fit the log, while a consumer runs and while none does.

use payload_tracker::dev::broker::Broker;
use sea_orm::sqlx;

use super::lab::{Lab, SOON, Totals, is_ready, numbered, statuses};
use crate::support::{eventually, free_port};

/// Stored, skipped and of those the gap, of all lanes together.
async fn counted(lab: &Lab) -> (i64, i64, i64) {
    sqlx::query_as(
        "SELECT sum(stored)::bigint, sum(skipped)::bigint, sum(gap)::bigint FROM consumer_offsets",
    )
    .fetch_one(lab.pool())
    .await
    .unwrap()
}

async fn send_to_each(lab: &Lab, lanes: i32, messages: usize) {
    for lane in 0..lanes {
        lab.kafka.send(Some(lane), statuses(messages)).await;
    }
}

/// Every message of both logs is there once, and the counters add up; of the places it came from some are in both.
fn assert_both_logs_are_stored(totals: Totals, first: i64, second: i64) {
    let expected = Totals {
        statuses: first + second,
        origins: first.max(second),
        stored: first + second,
        passed: first + second,
        ..Totals::default()
    };
    assert_eq!(totals, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_its_data_is_read_from_its_start_by_the_consumer_that_runs() {
    let mut lab = Lab::without_topic().await;
    let port = free_port();
    let broker = Broker::start(port).unwrap();
    broker.create_topic(&lab.kafka.topic, 1).unwrap();
    lab.kafka.bootstrap = broker.bootstrap();
    let consumer = lab.ready_consumer(&[]).await;
    send_to_each(&lab, 1, 50).await;
    lab.passed(50, SOON).await;
    drop(broker);
    let broker = Broker::start(port).unwrap();
    broker.create_topic(&lab.kafka.topic, 1).unwrap();
    send_to_each(&lab, 1, 20).await;
    assert_both_logs_are_stored(lab.passed(70, SOON).await, 50, 20);
    assert!(consumer.log().contains("made anew"), "{}", consumer.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_topic_made_anew_while_no_consumer_runs_is_read_from_its_start() {
    let lab = Lab::with_partitions(2).await;
    let mut consumer = lab.ready_consumer(&[]).await;
    send_to_each(&lab, 2, 50).await;
    lab.passed(100, SOON).await;
    assert!(consumer.terminate().await.success());
    lab.kafka.delete_topic().await;
    lab.kafka.create_topic(2).await;
    send_to_each(&lab, 2, 20).await;
    let latest = [("KAFKA_AUTO_OFFSET_RESET", "latest")];
    let consumer = lab.ready_consumer(&latest).await;
    assert_both_logs_are_stored(lab.passed(140, SOON).await, 100, 40);
    for said in [r#""stored":50"#, r#""log_end":20"#, "made anew"] {
        assert!(consumer.log().contains(said), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_topic_made_anew_under_a_running_consumer_is_read_from_its_start() {
    let lab = Lab::with_partitions(2).await;
    let consumer = lab.ready_consumer(&[]).await;
    send_to_each(&lab, 2, 50).await;
    lab.passed(100, SOON).await;
    lab.kafka.delete_topic().await;
    lab.kafka.create_topic(2).await;
    send_to_each(&lab, 2, 20).await;
    assert_both_logs_are_stored(lab.passed(140, SOON).await, 100, 40);
    assert!(consumer.log().contains("made anew"), "{}", consumer.log());
    is_ready(&consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn records_deleted_up_to_the_end_while_no_consumer_runs_are_a_gap() {
    let lab = Lab::with_partitions(2).await;
    let mut consumer = lab.ready_consumer(&[]).await;
    send_to_each(&lab, 2, 10).await;
    lab.passed(20, SOON).await;
    assert!(consumer.terminate().await.success());
    send_to_each(&lab, 2, 30).await;
    assert_eq!(lab.kafka.forget_beginning(0, 40).await, 40, "the whole log");
    assert_eq!(lab.kafka.forget_beginning(1, 25).await, 25);
    let consumer = lab.ready_consumer(&[]).await;
    lab.passed(80, SOON).await;
    send_to_each(&lab, 2, 5).await;
    let totals = lab.passed(90, SOON).await;
    assert_eq!(counted(&lab).await, (45, 45, 45));
    assert_eq!((totals.statuses, totals.origins), (45, 45));
    for missing in [30, 15] {
        let said = format!(r#""missing":{missing}"#);
        assert!(consumer.log().contains(&said), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn records_deleted_that_were_stored_already_are_no_gap() {
    let lab = Lab::with_partitions(1).await;
    let mut consumer = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.passed(10, SOON).await;
    lab.kafka.forget_beginning(0, 10).await;
    lab.kafka.send(Some(0), numbered(10..15)).await;
    lab.passed(15, SOON).await;
    assert!(consumer.terminate().await.success());
    lab.kafka.forget_beginning(0, 15).await;
    let _next = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), numbered(15..20)).await;
    assert_eq!(lab.passed(20, SOON).await, Totals::of(20));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn partitions_added_under_a_running_consumer_are_read_from_their_beginning() {
    let lab = Lab::with_partitions(1).await;
    let latest = [("KAFKA_AUTO_OFFSET_RESET", "latest")];
    let consumer = lab.ready_consumer(&latest).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.passed(10, SOON).await;
    lab.kafka.grow_topic(3).await;
    // Before the group hears of them, which may take the 30 s between two looks at the metadata.
    lab.kafka.send(Some(1), numbered(10..20)).await;
    lab.kafka.send(Some(2), numbered(20..30)).await;
    assert_eq!(lab.passed(30, SOON).await, Totals::of(30));
    eventually("all lanes", SOON, || async {
        consumer.log().contains("{1: 0, 2: 0}").then_some(())
    })
    .await;
    is_ready(&consumer).await;
}
