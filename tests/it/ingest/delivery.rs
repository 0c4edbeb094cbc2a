//! Rows, rejects and offsets commit together, and a lane only from where it is expected.

use chrono::{TimeDelta, Utc};
use sea_orm::sqlx::{self, Executor};

use super::lab::{Lab, SOON, Totals, numbered, statuses};

fn status(request_id: &str, fields: &str) -> Vec<u8> {
    let date = Utc::now().to_rfc3339();
    format!(
        r#"{{"service":"puptoo","status":"received","org_id":"1","date":"{date}","request_id":"{request_id}"{fields}}}"#
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_closes_on_count_bytes_and_time() {
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(250)).await;
    let settings = [("BATCH_MAX_MESSAGES", "100"), ("BATCH_MAX_WAIT_MS", "50")];
    let consumer = lab.ready_consumer(&settings).await;
    lab.passed(250, SOON).await;
    let (_, metrics) = consumer.probe("/metrics").await.unwrap();
    assert!(metrics.contains(r#"payload_tracker_batches{close="count"} 2"#));
    assert!(metrics.contains(r#"payload_tracker_batches{close="time"} 1"#));
    drop(consumer);

    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(100)).await;
    let consumer = lab.ready_consumer(&[("BATCH_MAX_BYTES", "10000")]).await;
    lab.passed(100, SOON).await;
    let (_, metrics) = consumer.probe("/metrics").await.unwrap();
    assert!(metrics.contains(r#"payload_tracker_batches{close="bytes"}"#));
    assert!(metrics.contains("payload_tracker_messages_processed 100"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_knows_where_it_came_from_and_when_it_was_stored() {
    let lab = Lab::with_partitions(2).await;
    lab.kafka.send(Some(1), statuses(3)).await;
    let _consumer = lab.ready_consumer(&[]).await;
    lab.passed(3, SOON).await;
    let rows: Vec<(i32, i64, bool)> = sqlx::query_as(
        "SELECT origin_partition, origin_offset,
                created_at BETWEEN date AND now() AND now() - created_at < interval '1 minute'
           FROM payload_statuses ORDER BY id",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap();
    assert_eq!(rows, [(1, 0, true), (1, 1, true), (1, 2, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_ever_named_finds_the_payload_and_absent_values_replace_nothing() {
    let lab = Lab::with_partitions(1).await;
    let id = "0123456789abcdef0123456789abcdef";
    let first = status(id, r#","inventory_id":"766637DD653F4BF099A1A117B455CD96""#);
    let second = status(id, r#","inventory_id":"second","account":"7""#);
    let third = status(id, r#","inventory_id":null,"account":"""#);
    // A batch each, so that what is stored meets what comes.
    let _consumer = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "1")]).await;
    lab.kafka.send(Some(0), [first]).await;
    lab.passed(1, SOON).await;
    lab.kafka.send(Some(0), [second]).await;
    lab.passed(2, SOON).await;
    lab.kafka.send(Some(0), [third]).await;
    lab.passed(3, SOON).await;
    let row: (String, String) = sqlx::query_as("SELECT inventory_id, account FROM payloads")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert_eq!(row, ("second".into(), "7".into()));
    let hosts: Vec<(String,)> = sqlx::query_as("SELECT value FROM payload_ids ORDER BY 1")
        .fetch_all(lab.pool())
        .await
        .unwrap();
    let hosts: Vec<&str> = hosts.iter().map(|(host,)| host.as_str()).collect();
    assert_eq!(hosts, ["766637dd-653f-4bf0-99a1-a117b455cd96", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn created_at_is_the_earliest_date_and_days_span_all_of_them() {
    let lab = Lab::with_partitions(1).await;
    let id = "0123456789abcdef0123456789abcdef";
    let at = |days: i64| {
        let date = (Utc::now() - TimeDelta::days(days)).to_rfc3339();
        format!(
            r#"{{"service":"a","status":"b","org_id":"1","request_id":"{id}","date":"{date}"}}"#
        )
        .into_bytes()
    };
    let _consumer = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "1")]).await;
    lab.kafka.send(Some(0), [at(2), at(5), at(0)]).await;
    lab.passed(3, SOON).await;
    let spans: (bool, i32) = sqlx::query_as(
        "SELECT created_at = (SELECT min(date) FROM payload_statuses), last_day - first_day
           FROM payloads",
    )
    .fetch_one(lab.pool())
    .await
    .unwrap();
    assert_eq!(spans, (true, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_are_unknown_stay_unknown() {
    let lab = Lab::with_partitions(1).await;
    let id = "0123456789abcdef0123456789abcdef";
    sqlx::query("INSERT INTO payloads (request_id, account) VALUES ($1, '')")
        .bind(id)
        .execute(lab.pool())
        .await
        .unwrap();
    let _consumer = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), [status(id, "")]).await;
    lab.passed(1, SOON).await;
    let unknown: bool =
        sqlx::query_scalar("SELECT first_day IS NULL AND last_day IS NULL FROM payloads")
            .fetch_one(lab.pool())
            .await
            .unwrap();
    assert!(unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_another_moved_writes_nothing_and_goes_on_where_it_stands() {
    let lab = Lab::with_partitions(2).await;
    let consumer = lab.ready_consumer(&[]).await;
    sqlx::query("UPDATE consumer_offsets SET next_offset = 3, skipped = 3 WHERE partition = 0")
        .execute(lab.pool())
        .await
        .unwrap();
    lab.kafka.send(Some(0), numbered(0..5)).await;
    lab.kafka.send(Some(1), numbered(5..10)).await;
    let totals = lab.passed(10, SOON).await;
    let expected = Totals {
        statuses: 7,
        origins: 7,
        stored: 7,
        skipped: 3,
        passed: 10,
        ..Totals::default()
    };
    assert_eq!(totals, expected, "offsets 0 to 2 of lane 0 are another's");
    assert!(
        consumer
            .log()
            .contains("another consumer moved these lanes")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_that_meet_the_same_new_names_and_payloads_at_once_agree() {
    let lab = Lab::with_partitions(8).await;
    let _one = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "50")]).await;
    let _two = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "50")]).await;
    let date = Utc::now().to_rfc3339();
    let messages = (0..4_000).map(|n| {
        let (name, payload) = (n % 97, n % 61);
        format!(
            r#"{{"service":"s{name}","source":"o{name}","status":"t{name}","org_id":"{n}",
                "inventory_id":"host {n}","request_id":"{payload:032x}","date":"{date}"}}"#
        )
        .into_bytes()
    });
    lab.kafka.send(None, messages).await;
    assert_eq!(lab.passed(4_000, SOON).await, Totals::of(4_000));
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM services), (SELECT count(*) FROM payloads),
                (SELECT count(*) FROM payload_ids)",
    )
    .fetch_one(lab.pool())
    .await
    .unwrap();
    assert_eq!(counts, (97, 61, 4_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_vanished_is_made_again() {
    let lab = Lab::with_partitions(1).await;
    let _consumer = lab.ready_consumer(&[]).await;
    lab.kafka.send(Some(0), numbered(0..5)).await;
    lab.passed(5, SOON).await;
    lab.pool()
        .execute("SELECT drop_partition(now() - interval '2 days', now() + interval '2 days')")
        .await
        .unwrap();
    lab.kafka.send(Some(0), numbered(5..10)).await;
    let totals = lab.passed(10, SOON).await;
    assert_eq!((totals.statuses, totals.stored), (5, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_never_migrated_stops_the_start() {
    let lab = Lab::without_topic().await;
    lab.pool()
        .execute("DROP TABLE consumer_offsets CASCADE")
        .await
        .unwrap();
    let mut consumer = lab.consumer(&[]);
    assert_eq!(consumer.exited(SOON).await.code(), Some(1));
    assert!(consumer.log().contains("pt migrate up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_stops_the_start() {
    let lab = Lab::without_topic().await;
    let mut consumer = lab.consumer(&[("DB_USER", "nobody-at-all")]);
    assert_eq!(consumer.exited(SOON).await.code(), Some(1));
    assert!(consumer.log().contains("nobody-at-all"));
}
