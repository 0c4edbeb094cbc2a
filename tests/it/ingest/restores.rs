//! The database is restored to an older state, or moved on by somebody else, under a running consumer.

use chrono::Utc;
use sea_orm::sqlx::{self, Executor};

use super::lab::{Lab, SOON, Totals, is_ready, numbered};
use crate::support::{Proxy, eventually};

/// Good messages that name a service nobody else names.
fn of_service(service: &str, messages: usize) -> impl Iterator<Item = Vec<u8>> {
    let date = Utc::now().to_rfc3339();
    (0..messages).map(move |number| {
        format!(
            r#"{{"service":"{service}","status":"received","org_id":"1","request_id":"{number:032x}","date":"{date}"}}"#
        )
        .into_bytes()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_is_read_on_from_and_its_names_are_learnt_again() {
    let lab = Lab::with_partitions(2).await;
    let _consumer = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "100")]).await;
    lab.kafka.send(Some(0), numbered(0..300)).await;
    lab.kafka.send(Some(0), of_service("late", 200)).await;
    lab.passed(500, SOON).await;
    // Back to where offset 300 was next and "late" unknown; the sequence goes on elsewhere.
    let mut restore = lab.pool().begin().await.unwrap();
    for statement in [
        "DELETE FROM payload_statuses WHERE origin_offset >= 300",
        "UPDATE consumer_offsets SET next_offset = 300, stored = 300 WHERE partition = 0",
        "DELETE FROM services WHERE name = 'late'",
    ] {
        restore.execute(statement).await.unwrap();
    }
    restore.commit().await.unwrap();
    // Lane 1 is where it was, and would write without noticing anything.
    lab.kafka.send(Some(1), of_service("late", 10)).await;
    lab.passed(310, SOON).await;
    lab.kafka.send(Some(0), numbered(300..400)).await;
    assert_eq!(lab.passed(610, SOON).await, Totals::of(610));
    let late: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM payload_statuses s JOIN services v ON v.id = s.service_id
          WHERE v.name = 'late'",
    )
    .fetch_one(lab.pool())
    .await
    .unwrap();
    assert_eq!(late, 210);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_sent_elsewhere_while_paused_is_read_on() {
    let lab = Lab::with_partitions(2).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let port = proxy.port().to_string();
    let consumer = lab.consumer(&[("DB_PORT", &port), ("BATCH_MAX_MESSAGES", "50")]);
    is_ready(&consumer).await;
    proxy.refuse();
    lab.kafka.send(Some(0), numbered(0..500)).await;
    lab.kafka.send(Some(1), numbered(500..1_000)).await;
    eventually("paused", SOON, || async {
        consumer.log().contains("lanes paused").then_some(())
    })
    .await;
    sqlx::query("UPDATE consumer_offsets SET next_offset = 7, skipped = 7")
        .execute(lab.pool())
        .await
        .unwrap();
    proxy.restore();
    let totals = lab.passed(1_000, SOON).await;
    assert_eq!((totals.stored, totals.skipped), (986, 14));
    assert_eq!((totals.statuses, totals.origins), (986, 986));
}
