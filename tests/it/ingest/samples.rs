//! The messages that real producers send, and what must become of each.

use chrono::{NaiveDate, Utc};
use sea_orm::sqlx;

use super::lab::{Lab, SOON};

/// The reason for each rejected line of the samples, counted from 1, with the default settings.
const REJECTED: [(i64, &str); 22] = [
    (3, "missing_field"),
    (4, "invalid_request_id"),
    (8, "missing_field"),
    (9, "missing_field"),
    (10, "missing_field"),
    (11, "missing_field"),
    (12, "missing_field"),
    (15, "invalid_request_id"),
    (17, "missing_field"),
    (21, "missing_field"),
    (26, "missing_field"),
    (32, "missing_field"),
    (34, "invalid_request_id"),
    (37, "missing_field"),
    (38, "invalid_request_id"),
    (39, "missing_field"),
    (40, "missing_field"),
    (41, "missing_field"),
    (42, "missing_field"),
    (43, "malformed"),
    (44, "malformed"),
    (45, "malformed"),
];

fn samples() -> Vec<Vec<u8>> {
    include_bytes!("../../../seed/producer_messages.jsonl")
        .strip_suffix(b"\n")
        .unwrap()
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Days from the samples' 21 August 2026 to today.
fn retention() -> String {
    let day = NaiveDate::from_ymd_opt(2026, 8, 21).unwrap();
    (Utc::now().date_naive() - day).num_days().to_string()
}

async fn consumed(lab: &Lab, settings: &[(&str, &str)]) {
    let messages = samples();
    let count = messages.len();
    lab.kafka.send(Some(0), messages).await;
    let retention = retention();
    let mut all = vec![("RETENTION_DAYS", retention.as_str())];
    all.extend_from_slice(settings);
    let mut consumer = lab.consumer(&all);
    lab.passed(count, SOON).await;
    assert!(consumer.terminate().await.success());
    let totals = lab.totals().await;
    assert_eq!(totals.stored + totals.rejected, count as i64);
    assert_eq!(totals.statuses, totals.stored);
    assert_eq!(totals.rejects, totals.rejected);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ends_as_the_row_or_the_reject_that_the_contract_says() {
    let lab = Lab::with_partitions(1).await;
    consumed(&lab, &[]).await;
    let rejected: Vec<(i64, String)> =
        sqlx::query_as("SELECT \"offset\" + 1, reason FROM rejects ORDER BY 1")
            .fetch_all(lab.pool())
            .await
            .unwrap();
    let rejected: Vec<(i64, &str)> = rejected.iter().map(|(n, r)| (*n, r.as_str())).collect();
    assert_eq!(rejected, REJECTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_logged_when_asked_for() {
    let lab = Lab::with_partitions(1).await;
    let consumer = lab.consumer(&[("DEBUG_LOG_STATUS_JSON", "true")]);
    lab.kafka.send(Some(0), [b"\xff no status".to_vec()]).await;
    lab.passed(1, SOON).await;
    assert!(consumer.log().contains("\u{fffd} no status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reject_is_kept_byte_for_byte() {
    let lab = Lab::with_partitions(1).await;
    consumed(&lab, &[]).await;
    let kept: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT \"offset\", value FROM rejects ORDER BY 1")
            .fetch_all(lab.pool())
            .await
            .unwrap();
    let sent = samples();
    for (offset, value) in kept {
        assert_eq!(value, sent[offset as usize], "line {}", offset + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_org_id_required_the_queue_workers_are_heard() {
    let lab = Lab::with_partitions(1).await;
    consumed(
        &lab,
        &[("REQUIRED_FIELDS", "service,request_id,status,date")],
    )
    .await;
    let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT v.name, t.name, s.status_msg
           FROM payload_statuses s JOIN services v ON v.id = s.service_id
           JOIN statuses t ON t.id = s.status_id
          WHERE v.name = 'inventory-mq-service' ORDER BY s.date, s.id",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap();
    let names: Vec<&str> = rows.iter().map(|(_, status, _)| status.as_str()).collect();
    assert_eq!(
        names,
        [
            "received",
            "processing",
            "processing_success",
            "error",
            "processing_error"
        ]
    );
    let rejected: Vec<(i64, String)> =
        sqlx::query_as("SELECT \"offset\" + 1, reason FROM rejects ORDER BY 1")
            .fetch_all(lab.pool())
            .await
            .unwrap();
    let lines: Vec<i64> = rejected.iter().map(|(line, _)| *line).collect();
    assert_eq!(
        lines,
        [4, 15, 21, 26, 34, 38, 39, 40, 42, 43, 44, 45],
        "{rejected:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_payload_row_holds_what_its_messages_agree_on() {
    let lab = Lab::with_partitions(1).await;
    consumed(&lab, &[]).await;
    let payload: (String, String, String, String, String, String) = sqlx::query_as(
        "SELECT account, org_id, inventory_id, system_id, created_at::text,
                first_day || ' ' || last_day
           FROM payloads WHERE request_id = '747c1300667b441e8e8f448337588ec0'",
    )
    .fetch_one(lab.pool())
    .await
    .unwrap();
    let expected = (
        "6089719",
        "11789772",
        "766637dd-653f-4bf0-99a1-a117b455cd96",
        "b1596dc8-fb46-4e16-8790-d11ea7dfa16a",
        "2026-08-21 09:14:07.228334+00",
        "2026-08-21 2026-08-21",
    );
    let (account, org_id, inventory_id, system_id, created_at, days) = &payload;
    assert_eq!(
        (
            account.as_str(),
            org_id.as_str(),
            inventory_id.as_str(),
            system_id.as_str(),
            created_at.as_str(),
            days.as_str()
        ),
        expected
    );
    let hosts: Vec<(i16, String)> = sqlx::query_as(
        "SELECT kind, value FROM payload_ids JOIN payloads p ON p.id = payload_id
          WHERE request_id = '747c1300667b441e8e8f448337588ec0' ORDER BY 1, 2",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap();
    assert_eq!(
        hosts,
        [
            (1, "766637dd-653f-4bf0-99a1-a117b455cd96".to_owned()),
            (2, "b1596dc8-fb46-4e16-8790-d11ea7dfa16a".to_owned())
        ]
    );
}
