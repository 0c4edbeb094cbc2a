//! Lanes that stop because most of what they bring is rejected.

use sea_orm::sqlx::Executor;

use super::lab::{Lab, SOON, Totals, is_not_ready, is_ready, numbered};
use crate::cli::tool::pt;
use crate::support::Process;

const WINDOW: [(&str, &str); 2] = [("FUSE_WINDOW", "100"), ("BATCH_MAX_MESSAGES", "30")];

fn bad(messages: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..messages)
        .map(|number| format!(r#"{{"service":"puptoo","status":"{number}"}}"#).into_bytes())
}

async fn metric(consumer: &Process, line: &str) -> bool {
    consumer.probe("/metrics").await.unwrap().1.contains(line)
}

async fn fuse(lab: &Lab, args: &[&str]) -> String {
    let envs = lab.database.env().into_iter().chain(lab.kafka.env());
    let said = pt(&[&["fuse"], args].concat(), envs).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_deploy_stops_its_lane_alone_until_it_is_released() {
    let lab = Lab::with_partitions(2).await;
    let mut consumer = lab.ready_consumer(&WINDOW).await;
    lab.kafka.send(Some(0), bad(150)).await;
    lab.kafka.send(Some(1), numbered(0..200)).await;
    let said = "partition 0: 100 of the last 100 messages were rejected, most often as missing_field of puptoo";
    is_not_ready(&consumer, said).await;
    assert_eq!(lab.passed(300, SOON).await.rejects, 100);
    assert!(metric(&consumer, r#"payload_tracker_fuse_blown{partition="0"} 1"#).await);
    assert!(metric(&consumer, "payload_tracker_fuse_blows 1").await);

    // A restart does not arm it anew.
    assert!(consumer.terminate().await.success());
    let consumer = lab.consumer(&WINDOW);
    lab.kafka.send(Some(1), numbered(200..300)).await;
    lab.passed(400, SOON).await;
    is_not_ready(&consumer, "1 blown fuses").await;
    assert_eq!(lab.totals().await.rejects, 100);

    assert!(fuse(&lab, &["list"]).await.contains("partition 0: blew"));
    let released = fuse(&lab, &["release", "--partition", "0", "--by", "alice"]).await;
    assert!(released.starts_with("released 1 partitions"), "{released}");
    // With an empty window the other 50 are not enough.
    assert_eq!(lab.passed(450, SOON).await.rejects, 150);
    is_ready(&consumer).await;
    assert!(!metric(&consumer, "payload_tracker_fuse_blown{").await);
    assert!(fuse(&lab, &["list"]).await.contains("by alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuse_that_cooled_down_lets_the_lane_go_on_by_itself() {
    let lab = Lab::with_partitions(1).await;
    let settings = [WINDOW.as_slice(), &[("FUSE_COOLDOWN_SECONDS", "1")]].concat();
    let consumer = lab.ready_consumer(&settings).await;
    lab.kafka
        .send(Some(0), bad(250).chain(numbered(0..50)))
        .await;
    let totals = lab.passed(300, SOON).await;
    assert_eq!((totals.rejects, totals.statuses), (250, 50));
    assert!(metric(&consumer, "payload_tracker_fuse_blows 2").await);
    assert!(fuse(&lab, &["list"]).await.contains("went on by itself"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_counts_too() {
    let lab = Lab::with_partitions(1).await;
    lab.pool()
        .execute("ALTER TABLE payload_statuses ADD CONSTRAINT none CHECK (status_msg = '')")
        .await
        .unwrap();
    let consumer = lab.ready_consumer(&WINDOW).await;
    lab.kafka.send(Some(0), numbered(0..300)).await;
    is_not_ready(&consumer, "refused_by_database").await;
    assert_eq!(lab.passed(100, SOON).await.rejects, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_messages_are_not_more_than_half() {
    let lab = Lab::with_partitions(1).await;
    let _consumer = lab.ready_consumer(&WINDOW).await;
    let mixed = bad(300)
        .zip(numbered(0..300))
        .flat_map(|(bad, good)| [bad, good]);
    lab.kafka.send(Some(0), mixed).await;
    let expected = Totals {
        rejects: 300,
        rejected: 300,
        passed: 600,
        ..Totals::of(300)
    };
    assert_eq!(lab.passed(600, SOON).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuse_that_is_not_blown_cannot_be_released() {
    let lab = Lab::with_partitions(1).await;
    let envs = || lab.database.env().into_iter().chain(lab.kafka.env());
    let said = pt(&["fuse", "release", "--partition", "3"], envs()).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("partition 3"), "{}", said.stderr);
    assert!(said.stderr.contains("is not stopped"), "{}", said.stderr);
    assert_eq!(pt(&["fuse", "release"], envs()).await.code, 2);
    assert!(fuse(&lab, &["list"]).await.contains("ever blew"));
}
