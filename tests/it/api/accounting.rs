//! Where every message went, against what was really consumed.

use serde_json::{Value, json};

use super::fixture::Api;
use crate::ingest::lab::{Lab, SOON, statuses};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_consumed_adds_up() {
    let api = Api::start().await;
    let mut account = api.json("/accounting").await;
    assert!(account["elapsed"].take().is_number());
    assert_eq!(
        account,
        json!({
            "elapsed": null, "data": [], "redriven": 0,
            "totals": { "passed": 0, "stored": 0, "rejected": 0, "skipped": 0, "gap": 0, "adds_up": true },
        })
    );
}

/// With white space behind, so that the log soon forgets its beginning.
fn padded(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(10_000, b' ');
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partition_is_accounted_for() {
    let lab = Lab::with_partitions(2).await;
    lab.kafka.send(Some(0), statuses(700).map(padded)).await;
    lab.kafka.send(Some(1), statuses(12)).await;
    lab.kafka
        .send(Some(1), [b"not json".to_vec(), b"{}".to_vec()])
        .await;
    lab.store_start(0).await;
    let lost = lab.kafka.forget_beginning(0, 100).await;
    let mut consumer = lab.consumer(&[]);
    lab.passed(714, SOON).await;
    assert!(consumer.terminate().await.success());
    let topic = lab.kafka.topic.clone();
    let pool = lab.pool().clone();
    sea_orm::sqlx::query("INSERT INTO redriven_counts VALUES ($1, 1, 1), ('elsewhere', 0, 2)")
        .bind(&topic)
        .execute(&pool)
        .await
        .unwrap();
    let api = Api::on(lab.database).await;
    let account = api.json("/accounting").await;
    let row = |partition: usize| {
        let mut row = account["data"][partition].clone();
        assert!(row["updated_at"].take().is_string());
        row
    };
    assert_eq!(
        row(0),
        json!({
            "topic": topic, "partition": 0, "first_offset": 0, "next_offset": 700, "passed": 700,
            "stored": 700 - lost, "rejected": 0, "skipped": lost, "gap": lost, "adds_up": true, "redriven": 0,
            "updated_at": null,
        })
    );
    assert_eq!(
        row(1),
        json!({
            "topic": topic, "partition": 1, "first_offset": 0, "next_offset": 14, "passed": 14,
            "stored": 12, "rejected": 2, "skipped": 0, "gap": 0, "adds_up": true, "redriven": 1,
            "updated_at": null,
        })
    );
    assert_eq!(
        account["totals"],
        json!({
            "passed": 714, "stored": 712 - lost, "rejected": 2, "skipped": lost, "gap": lost,
            "adds_up": true,
        })
    );
    assert_eq!(account["redriven"], Value::from(3));

    // The table's own check keeps this from happening; should it, the answer says so.
    api.sql(
        "ALTER TABLE consumer_offsets DROP CONSTRAINT consumer_offsets_accounting;
         UPDATE consumer_offsets SET stored = stored - 1 WHERE partition = 0",
    )
    .await;
    let account = api.json("/accounting").await;
    assert_eq!(account["data"][0]["adds_up"], false);
    assert_eq!(account["data"][1]["adds_up"], true);
    assert_eq!(account["totals"]["adds_up"], false);
}
