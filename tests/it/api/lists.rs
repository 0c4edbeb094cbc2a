//! What both lists have in common.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fixture::Api;
use super::rows::{Payload, Status};

const LISTS: [&str; 2] = ["/payloads", "/statuses"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_an_empty_list() {
    let api = Api::start().await;
    for list in LISTS {
        for query in [
            "",
            "?page=7",
            "?account=%00",
            "?org_id=a%00",
            "?request_id=%00",
            "?request_id=%20",
            "?inventory_id=00000000-0000-0000-0000-000000000000",
            "?system_id=%ff",
            &format!("?inventory_id={}", "x".repeat(10_000)),
            "?page=10000&page_size=1",
            "?%zz=%zz&&&==&account=%zz",
        ] {
            let mut answer = api.json(&format!("{list}{query}")).await;
            let elapsed = answer["elapsed"].take();
            assert!(
                elapsed.as_f64().is_some_and(|seconds| seconds < 10.0),
                "{elapsed}"
            );
            assert_eq!(
                answer,
                json!({ "count": 0, "elapsed": null, "data": [] }),
                "{list}{query}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_are_counted_to_10_000() {
    let api = Api::start().await;
    let id = Payload::of("first").put(&api.database.pool).await;
    Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
        .put(&api.database.pool)
        .await;
    let most = "INSERT INTO payloads (request_id) SELECT 'r' || n FROM generate_series(1, 9999) AS n; \
         INSERT INTO payload_statuses (payload_id, service_id, status_id, date) \
         SELECT payload_id, service_id, status_id, date FROM payload_statuses, generate_series(1, 9999)";
    api.sql(most).await;
    for list in LISTS {
        let answer = api.json(list).await;
        assert_eq!(
            (&answer["count"], answer.get("count_capped")),
            (&json!(10_000), None),
            "{list}"
        );
    }
    let one_more = "INSERT INTO payloads (request_id) VALUES ('last'); \
         INSERT INTO payload_statuses (payload_id, service_id, status_id, date) \
         SELECT payload_id, service_id, status_id, date FROM payload_statuses LIMIT 1";
    api.sql(one_more).await;
    for list in LISTS {
        let answer = api.json(list).await;
        assert_eq!(
            (&answer["count"], &answer["count_capped"]),
            (&json!(10_000), &json!(true)),
            "{list}"
        );
        assert_eq!(
            api.json(&format!("{list}?page=10000&page_size=1")).await["data"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_names_what_is_allowed() {
    let api = Api::start().await;
    for list in LISTS {
        for (query, message) in [
            ("sort_dir=up", r#"sort_dir "up" is not one of asc, desc"#),
            (
                "page=-1",
                r#"page "-1" is not a whole number from 0 to 10000"#,
            ),
            (
                "page=one",
                r#"page "one" is not a whole number from 0 to 10000"#,
            ),
            (
                "page_size=0",
                r#"page_size "0" is not a whole number from 1 to 1000"#,
            ),
            (
                "page_size=1001",
                r#"page_size "1001" is not a whole number from 1 to 1000"#,
            ),
            (
                "page_size=99999999999999999999",
                r#"page_size "99999999999999999999" is not a whole number from 1 to 1000"#,
            ),
            (
                "page_size=1.5",
                r#"page_size "1.5" is not a whole number from 1 to 1000"#,
            ),
            (
                "page=5001&page_size=2",
                "page 5001 of 2 rows begins after row 10000: go on with cursor, the `next` of the answer before",
            ),
            (
                "page=18446744073709551615&page_size=1000",
                "page 18446744073709551615 of 1000 rows begins after row 10000: go on with cursor, the `next` of the answer before",
            ),
            (
                "page=18446744073709551616&page_size=1000",
                r#"page "18446744073709551616" is not a whole number from 0 to 10000"#,
            ),
            (
                "created_at_gte=yesterday",
                r#"created_at_gte "yesterday" is not a time: write RFC 3339, such as 2026-01-31T08:15:30Z, or a date, such as 2026-01-31"#,
            ),
        ] {
            assert_eq!(
                api.problem(&format!("{list}?{query}")).await,
                (400, message.to_owned()),
                "{list}"
            );
        }
        for ignored in [
            "page=",
            "sort_by=",
            "sort_dir=",
            "page_size=",
            "created_at_lt=",
            "verbosity=9",
            "page=0&page=x",
            "page=&page=x",
        ] {
            api.json(&format!("{list}?{ignored}")).await;
        }
        assert_eq!(
            api.problem(&format!("{list}?created_at_lt=2026-02-30"))
                .await
                .0,
            400
        );
    }
    assert_eq!(
        api.problem("/payloads?sort_by=date").await.1,
        r#"sort_by "date" is not one of request_id, account, org_id, inventory_id, system_id, created_at"#
    );
    assert_eq!(
        api.problem("/statuses?sort_by=account").await.1,
        r#"sort_by "account" is not one of service, source, request_id, status, status_msg, date, created_at"#
    );
    assert_eq!(api.problem("/statuses?date_lte=1769847330").await.0, 400);
    assert_eq!(
        api.problem("/rejects?page=1001").await.1,
        "page 1001 of 10 rows begins after row 10000: narrow the list by received_at_lt"
    );
    let (_, message) = api
        .problem(&format!("/payloads?page={}", "x".repeat(5_000)))
        .await;
    assert!(
        message.len() < 200 && message.contains("(5000 bytes)"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_the_database_cannot_answer_in_time_asks_for_less() {
    let api = Api::start().await;
    // What keeps a query longer than it may take is a lock here.
    let mut holder = api.database.pool.begin().await.unwrap();
    sea_orm::sqlx::raw_sql("LOCK TABLE payloads, payload_statuses")
        .execute(&mut *holder)
        .await
        .unwrap();
    for (list, narrow) in [
        ("/payloads", "a later created_at_gte"),
        ("/statuses", "a later date_gte"),
    ] {
        let asked = Instant::now();
        let (status, message) = api.problem(list).await;
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(narrow), "{message}");
        assert!(asked.elapsed() < Duration::from_secs(4), "not tried again");
    }
}

/// None of the statements takes too long, but the page and its count together do.
#[tokio::test(flavor = "multi_thread")]
async fn statements_that_work_too_long_together_are_ended_too() {
    let api = Api::start().await;
    Payload::of("r").put(&api.database.pool).await;
    api.sql(
        "ALTER TABLE payloads RENAME TO stored; \
         CREATE VIEW payloads AS SELECT stored.* FROM stored, pg_sleep(1.5)",
    )
    .await;
    let (status, message) = api.problem("/payloads").await;
    assert_eq!(status, 400, "{message}");
    assert!(message.contains("a later created_at_gte"), "{message}");
    assert_eq!(api.problem("/payloads/nobody").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_works_too_long_is_ended_by_the_database() {
    let api = Api::start().await;
    Payload::of("r").put(&api.database.pool).await;
    api.sql(
        "ALTER TABLE payloads RENAME TO stored; \
         CREATE VIEW payloads AS SELECT stored.* FROM stored, pg_sleep(30)",
    )
    .await;
    let asked = Instant::now();
    let (status, message) = api.problem("/payloads").await;
    assert_eq!(status, 400, "{message}");
    assert!(message.contains("a later created_at_gte"), "{message}");
    let took = asked.elapsed();
    assert!(
        took > Duration::from_millis(1_900) && took < Duration::from_secs(4),
        "{took:?}, once"
    );
}

/// No request is known that has the database refuse a value; a view that computes one stands for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_database_refuses_is_a_400_at_once() {
    let api = Api::start().await;
    Payload::of("r").put(&api.database.pool).await;
    api.sql(
        "ALTER TABLE payloads RENAME TO stored; \
         CREATE VIEW payloads AS SELECT * FROM stored WHERE 2147483647 + length(request_id) > 0",
    )
    .await;
    for path in [
        "/payloads",
        "/payloads?request_id=r",
        "/payloads/r",
        "/explain/r",
    ] {
        let asked = Instant::now();
        let refused =
            "the database refuses a value of this request; the log of the service says why";
        assert_eq!(api.problem(path).await, (400, refused.to_owned()), "{path}");
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{path} is tried again"
        );
    }
    assert_eq!(
        api.problem("/payloads/nobody").await.0,
        404,
        "sessions go on"
    );
}
