//! Where a consumer starts: contract, section 2.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use sea_orm::sqlx;

use super::lab::{Lab, SOON, Totals, is_not_ready, is_ready, statuses};
use crate::support::eventually;

async fn lanes(lab: &Lab) -> Vec<(i32, i64, i64)> {
    sqlx::query_as(
        "SELECT partition, first_offset, next_offset FROM consumer_offsets ORDER BY partition",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap()
}

fn commit_for_group(lab: &Lab, partition: i32, offset: i64) {
    let mut config = lab.kafka.client();
    let client: BaseConsumer = config.set("group.id", &lab.kafka.group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&lab.kafka.topic, partition, Offset::Offset(offset))
        .unwrap();
    client.commit(&list, CommitMode::Sync).unwrap();
}

async fn group_offset(lab: &Lab, partition: i32) -> Option<i64> {
    let mut config = lab.kafka.client();
    let client: BaseConsumer = config.set("group.id", &lab.kafka.group).create().unwrap();
    let topic = lab.kafka.topic.clone();
    tokio::task::spawn_blocking(move || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&topic, partition);
        let answers = client
            .committed_offsets(asked, Duration::from_secs(10))
            .ok()?;
        match answers.elements().first()?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_offset_is_continued_where_nothing_is_stored() {
    let lab = Lab::with_partitions(2).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    lab.kafka.send(Some(1), statuses(10)).await;
    commit_for_group(&lab, 0, 7);
    let _consumer = lab.ready_consumer(&[]).await;
    lab.passed(13, SOON).await;
    assert_eq!(lanes(&lab).await, [(0, 7, 10), (1, 0, 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stored_offset_wins_over_the_groups() {
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    commit_for_group(&lab, 0, 9);
    lab.store_start(4).await;
    let _consumer = lab.ready_consumer(&[]).await;
    lab.passed(6, SOON).await;
    assert_eq!(lanes(&lab).await, [(0, 4, 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_skips_what_was_there_and_is_decided_once_for_all_partitions() {
    let lab = Lab::with_partitions(3).await;
    lab.kafka.send(Some(0), statuses(5)).await;
    let settings = [("KAFKA_AUTO_OFFSET_RESET", "latest")];
    let mut consumer = lab.ready_consumer(&settings).await;
    assert_eq!(lanes(&lab).await, [(0, 5, 5), (1, 0, 0), (2, 0, 0)]);
    consumer.kill9().await;
    lab.kafka.send(Some(1), statuses(4)).await;
    let _consumer = lab.ready_consumer(&settings).await;
    lab.passed(4, SOON).await;
    assert_eq!(
        lanes(&lab).await,
        [(0, 5, 5), (1, 0, 4), (2, 0, 0)],
        "what came while no consumer ran is read"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_offset_follows_what_is_stored() {
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    let _consumer = lab.ready_consumer(&[]).await;
    lab.passed(10, SOON).await;
    eventually("the group's offset", SOON, || async {
        (group_offset(&lab, 0).await == Some(10)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_appears_later_is_read_from_its_beginning_whatever_the_policy() {
    let lab = Lab::without_topic().await;
    let consumer = lab.consumer(&[("KAFKA_AUTO_OFFSET_RESET", "latest")]);
    eventually("the reminder", SOON, || async {
        consumer
            .log()
            .contains("waiting for the topic")
            .then_some(())
    })
    .await;
    is_not_ready(&consumer, "topic").await;
    lab.kafka.create_topic(2).await;
    lab.kafka.send(Some(1), statuses(20)).await;
    is_ready(&consumer).await;
    assert_eq!(lab.passed(20, SOON).await, Totals::of(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_beyond_the_log_goes_back_to_its_start_and_the_counters_still_add_up() {
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    lab.store_start(0).await;
    sqlx::query("UPDATE consumer_offsets SET next_offset = 1000, stored = 1000")
        .execute(lab.pool())
        .await
        .unwrap();
    let consumer = lab
        .ready_consumer(&[("KAFKA_AUTO_OFFSET_RESET", "latest")])
        .await;
    lab.passed(1_010, SOON).await;
    assert_eq!(lanes(&lab).await, [(0, -1_000, 10)]);
    assert_eq!(lab.totals().await.statuses, 10);
    assert!(consumer.log().contains("made anew"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_no_partition_is_left_for_is_ready_too() {
    let lab = Lab::with_partitions(1).await;
    let _first = lab.ready_consumer(&[]).await;
    let _second = lab.ready_consumer(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_partition_that_came_later_is_read_from_its_beginning_whatever_the_policy() {
    let settings = [("KAFKA_AUTO_OFFSET_RESET", "latest")];
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(5)).await;
    let mut consumer = lab.ready_consumer(&settings).await;
    assert!(consumer.terminate().await.success());
    lab.kafka.grow_topic(2).await;
    lab.kafka.send(Some(1), statuses(3)).await;
    let _next = lab.ready_consumer(&settings).await;
    lab.passed(3, SOON).await;
    assert_eq!(lanes(&lab).await, [(0, 5, 5), (1, 0, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_topic_made_anew_with_fewer_partitions_is_read_from_its_beginning_and_ready() {
    let lab = Lab::with_partitions(4).await;
    let consumer = lab.ready_consumer(&[]).await;
    for lane in 0..4 {
        lab.kafka.send(Some(lane), statuses(100)).await;
    }
    lab.passed(400, SOON).await;
    lab.kafka.delete_topic().await;
    lab.kafka.create_topic(2).await;
    for lane in 0..2 {
        lab.kafka.send(Some(lane), statuses(30)).await;
    }
    // The group learns of the partitions that are gone with its next look at the metadata, within 30 s.
    let totals = lab.passed(460, SOON).await;
    assert_eq!((totals.statuses, totals.stored), (460, 460));
    is_ready(&consumer).await;
    assert!(
        consumer
            .log()
            .contains("the topic does not have these lanes")
    );
    // The group may still hold on to them: when they are back they are read.
    lab.kafka.grow_topic(4).await;
    lab.kafka.send(Some(3), statuses(10)).await;
    assert_eq!(lab.passed(470, SOON).await.stored, 470);
    is_ready(&consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_topic_that_is_deleted_is_not_ready_and_is_read_when_it_is_back() {
    let lab = Lab::with_partitions(2).await;
    let consumer = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    lab.passed(10, SOON).await;
    lab.kafka.delete_topic().await;
    is_not_ready(&consumer, "the topic does not exist").await;
    lab.kafka.create_topic(2).await;
    lab.kafka.send(Some(0), statuses(5)).await;
    let totals = lab.passed(15, SOON).await;
    assert_eq!((totals.statuses, totals.stored), (15, 15));
    is_ready(&consumer).await;
}
