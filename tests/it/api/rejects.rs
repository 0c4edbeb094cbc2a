//! Rejects, as a list and each by itself.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::sqlx::{self, AssertSqlSafe};
use serde_json::{Value, json};

use super::fixture::Api;

const DASHED: &str = "0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D";

/// Four rejects, an hour apart; the third was redriven, after a try in vain.
const FOUR: &str = r#"
    INSERT INTO rejects (topic, partition, "offset", key, value, reason, detail, sqlstate, service,
                         request_id, produced_at, received_at, redriven_at)
    VALUES ('t', 0, 10, NULL, '{"a":1}', 'missing_field', 'org_id is missing', NULL, 'puptoo',
            '0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d', '2026-01-31T07:59:59.5Z', '2026-01-31T08:00:00Z', NULL),
           ('t', 1, 11, '\x6b', '\xff00', 'malformed', 'not UTF-8', NULL, NULL, NULL, NULL,
            '2026-01-31T09:00:00Z', NULL),
           ('t', 1, 12, NULL, '{}', 'refused_by_database', 'no', '22P05', 'puptoo', 'x', NULL,
            '2026-01-31T10:00:00Z', '2026-01-31T12:00:00Z'),
           ('t', 2, 13, NULL, NULL, 'malformed', 'empty', NULL, NULL, NULL, NULL,
            '2026-01-31T11:00:00Z', NULL);
    INSERT INTO redrives (reject_id, at, by, edited, outcome, detail)
    VALUES (3, '2026-01-31T11:30:00Z', 'ann', NULL, 'missing_field', 'no org_id'),
           (3, '2026-01-31T12:00:00Z', 'bob', '{"b":2}', 'stored', NULL)"#;

async fn ids(api: &Api, query: &str) -> Vec<i64> {
    let list = api.json(&format!("/rejects{query}")).await;
    let rows = list["data"].as_array().unwrap();
    assert_eq!(list["count"], rows.len(), "{query}");
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_narrows_and_the_newest_come_first() {
    let api = Api::start().await;
    assert!(ids(&api, "").await.is_empty());
    api.sql(FOUR).await;
    for (query, expected) in [
        ("", vec![4, 3, 2, 1]),
        ("?service=PUPTOO", vec![3, 1]),
        ("?service=nobody", vec![]),
        ("?service=%00", vec![]),
        ("?reason=malformed", vec![4, 2]),
        ("?reason=too_many_names", vec![]),
        ("?service=puptoo&reason=missing_field", vec![1]),
        (&format!("?request_id=%20{DASHED}"), vec![1]),
        ("?request_id=%20", vec![]),
        ("?service=puptoo&request_id=x", vec![3]),
        ("?partition=1", vec![3, 2]),
        ("?service=puptoo&partition=1", vec![3]),
        ("?redriven=true", vec![3]),
        ("?redriven=false", vec![4, 2, 1]),
        ("?service=puptoo&redriven=false", vec![1]),
        ("?received_at_lt=2026-01-31T09:00:00Z", vec![1]),
        ("?received_at_lte=2026-01-31T09:00:00Z", vec![2, 1]),
        ("?received_at_gt=2026-01-31T10:00:00Z", vec![4]),
        ("?received_at_gte=2026-01-31T10:00:00Z", vec![4, 3]),
        (
            "?service=puptoo&received_at_gte=2026-01-31T10:00:00Z",
            vec![3],
        ),
        (
            "?service=&reason=&partition=&redriven=&page_size=",
            vec![4, 3, 2, 1],
        ),
    ] {
        assert_eq!(ids(&api, query).await, expected, "{query}");
    }
    let page = api.json("/rejects?page=1&page_size=3").await;
    assert_eq!(
        (&page["count"], &page["data"][0]["id"]),
        (&json!(4), &json!(1))
    );
    let page = api.json("/rejects?service=puptoo&page=1&page_size=1").await;
    assert_eq!(
        (&page["count"], &page["data"][0]["id"]),
        (&json!(2), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_has_everything_but_the_bytes() {
    let api = Api::start().await;
    api.sql(FOUR).await;
    let list = api.json("/rejects?page_size=1000").await;
    assert_eq!(
        list["data"][3],
        json!({
            "id": 1, "topic": "t", "partition": 0, "offset": 10, "reason": "missing_field",
            "detail": "org_id is missing", "sqlstate": "", "service": "puptoo",
            "request_id": "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
            "produced_at": "2026-01-31T07:59:59.5Z", "received_at": "2026-01-31T08:00:00Z",
            "redriven_at": null,
        })
    );
    let third = &list["data"][1];
    assert_eq!(third["sqlstate"], "22P05");
    assert_eq!(third["redriven_at"], "2026-01-31T12:00:00Z");
    let second = &list["data"][2];
    assert_eq!(
        (&second["service"], &second["produced_at"]),
        (&json!(""), &json!(null))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_filter_names_what_is_allowed() {
    let api = Api::start().await;
    for (query, message) in [
        (
            "reason=bad",
            r#"reason "bad" is not one of malformed, missing_field, wrong_type, too_long, invalid_request_id, invalid_date, date_out_of_range, too_many_names, refused_by_database"#,
        ),
        (
            "redriven=yes",
            r#"redriven "yes" is not one of true, false"#,
        ),
        (
            "partition=-1",
            r#"partition "-1" is not a whole number from 0 to 2147483647"#,
        ),
        (
            "partition=2147483648",
            r#"partition "2147483648" is not a whole number from 0 to 2147483647"#,
        ),
        (
            "page_size=1001",
            r#"page_size "1001" is not a whole number from 1 to 1000"#,
        ),
        (
            "received_at_gte=yesterday",
            r#"received_at_gte "yesterday" is not a time: write RFC 3339, such as 2026-01-31T08:15:30Z, or a date, such as 2026-01-31"#,
        ),
    ] {
        let answer = api.problem(&format!("/rejects?{query}")).await;
        assert_eq!(answer, (400, message.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_are_counted_to_10_000_and_ties_are_broken_by_id() {
    let api = Api::start().await;
    api.sql(
        "INSERT INTO rejects (topic, partition, \"offset\", reason, detail, service, received_at)
         SELECT 't', 0, n, 'malformed', 'd', 's', '2026-01-31' FROM generate_series(1, 10001) AS n",
    )
    .await;
    for query in [
        "",
        "?service=s",
        "?reason=malformed",
        "?service=s&reason=malformed",
    ] {
        let list = api.json(&format!("/rejects{query}")).await;
        assert_eq!(
            (
                &list["count"],
                &list["count_capped"],
                &list["data"][0]["id"]
            ),
            (&json!(10_000), &json!(true), &json!(10_001)),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_takes_too_long_asks_for_a_later_start() {
    let api = Api::start().await;
    let mut holder = api.database.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE rejects")
        .execute(&mut *holder)
        .await
        .unwrap();
    let (status, message) = api.problem("/rejects").await;
    assert_eq!(status, 400, "{message}");
    assert!(message.contains("a later received_at_gte"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reject_is_shown_whole() {
    let api = Api::start().await;
    api.sql(FOUR).await;
    assert_eq!(
        api.json("/rejects/3").await,
        json!({
            "id": 3, "topic": "t", "partition": 1, "offset": 12, "key": null,
            "value": { "text": "{}", "base64": "e30=" },
            "reason": "refused_by_database", "detail": "no", "sqlstate": "22P05",
            "service": "puptoo", "request_id": "x", "produced_at": null,
            "received_at": "2026-01-31T10:00:00Z", "redriven_at": "2026-01-31T12:00:00Z",
            "redrives": [
                {
                    "at": "2026-01-31T11:30:00Z", "by": "ann", "outcome": "missing_field",
                    "detail": "no org_id", "edited": null,
                },
                {
                    "at": "2026-01-31T12:00:00Z", "by": "bob", "outcome": "stored", "detail": null,
                    "edited": { "text": "{\"b\":2}", "base64": STANDARD.encode("{\"b\":2}") },
                },
            ],
        })
    );
    let bytes = api.json("/rejects/%202").await;
    assert_eq!(bytes["value"], json!({ "text": null, "base64": "/wA=" }));
    assert_eq!(bytes["key"], json!({ "text": "k", "base64": "aw==" }));
    assert_eq!(bytes["redrives"], json!([]));
    let tombstone = api.json("/rejects/4").await;
    assert_eq!(
        (&tombstone["value"], &tombstone["service"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_reject_is_a_404() {
    let api = Api::start().await;
    for id in ["1", "0", "-1", "x", "1.0", "99999999999999999999", "%ff"] {
        let (status, message) = api.problem(&format!("/rejects/{id}")).await;
        assert_eq!(status, 404, "{id}");
        assert!(message.starts_with("reject with id: "), "{message}");
    }
}

/// Also those of a service or reason that fell silent before all others came.
#[tokio::test(flavor = "multi_thread")]
async fn many_rejects_are_searched_at_once() {
    let api = Api::start().await;
    let fill = "INSERT INTO rejects (topic, partition, \"offset\", value, reason, detail, service,
                                     request_id, received_at, redriven_at)
         SELECT 't', n % 20, n, '{}', (ARRAY['malformed', 'missing_field'])[1 + n / 1000 % 2], 'd',
                CASE WHEN n = 5 THEN 'rare' ELSE 's' || n % 7 END, md5(n::text),
                '2026-01-31'::timestamptz + n / 1000 * interval '1 s',
                CASE WHEN n % 1000 = 0 THEN now() END
           FROM generate_series(1, 200000) AS n";
    for statement in [fill, "ANALYZE rejects"] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&api.database.pool)
            .await
            .unwrap();
    }
    for query in [
        "",
        "?service=rare",
        "?service=s1",
        "?service=s1&page=100&page_size=10",
        "?reason=malformed",
        "?service=rare&reason=malformed",
        "?service=s3&reason=missing_field&received_at_lt=2026-01-31T00:01:00Z",
        "?partition=7",
        "?request_id=c4ca4238a0b923820dcc509a6f75849b",
        "?redriven=true&received_at_gte=2026-01-31T00:01:00Z",
        "?received_at_lt=2026-01-31T00:00:01Z",
    ] {
        let asked = std::time::Instant::now();
        let list = api.json(&format!("/rejects{query}")).await;
        assert!(list["count"].as_i64().unwrap() > 0, "{query}");
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "{query} took {:?}",
            asked.elapsed()
        );
    }
}
