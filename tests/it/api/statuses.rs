//! `/statuses`.

use super::fixture::Api;
use super::rows::{Payload, Status, host};

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
const HOST: &str = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a";

/// Two payloads and what was said about them.
async fn stored(api: &Api) {
    let pool = &api.database.pool;
    let upload = Payload {
        account: Some("a"),
        org_id: Some("7"),
        ..Payload::of(ID)
    }
    .put(pool)
    .await;
    let other = Payload {
        account: Some("b"),
        org_id: Some("8"),
        ..Payload::of("other")
    }
    .put(pool)
    .await;
    host(upload, 1, HOST, pool).await;
    host(other, 2, HOST, pool).await;
    for status in [
        Status::of(upload, "ingress", "received", "2026-01-31T08:00:00Z"),
        Status::of(upload, "puptoo", "error", "2026-01-31T08:00:01.5Z")
            .from("inventory")
            .saying("no space"),
        Status::of(other, "ingress", "received", "2026-01-31T08:00:01.5Z")
            .saying("")
            .stored("2026-02-01T08:00:00Z"),
        Status::of(other, "Zeta", "done", "2026-02-02T00:00:00Z")
            .from("yum")
            .stored("2026-02-01T09:00:00Z"),
    ] {
        status.put(pool).await;
    }
}

impl Api {
    /// Service and first letter of the request id of each row.
    async fn said(&self, query: &str) -> Vec<String> {
        let list = self.json(&format!("/statuses?{query}")).await;
        let rows = list["data"].as_array().unwrap();
        let row = |row: &serde_json::Value| {
            format!(
                "{} {}",
                row["service"].as_str().unwrap(),
                &row["request_id"].as_str().unwrap()[..1]
            )
        };
        rows.iter().map(row).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_has_all_keys_in_order_and_empty_text_for_absent() {
    let api = Api::start().await;
    stored(&api).await;
    let answer = api.text("/statuses?status=error").await;
    assert!(answer.starts_with(r#"{"count":1,"elapsed":0."#), "{answer}");
    let row = concat!(
        r#""data":[{"request_id":"0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d","status":"error","id":"1","service":"puptoo","source":"inventory","#,
        r#""status_msg":"no space","date":"2026-01-31T08:00:01.5Z","created_at":"2026-01-31T08:00:01.5Z"}]}"#
    );
    assert!(answer.ends_with(row), "{answer}");
    let answer = api.text("/statuses?org_id=8&status=received").await;
    let row = concat!(
        r#"[{"request_id":"other","status":"received","id":"2","service":"ingress","source":"","#,
        r#""status_msg":"","date":"2026-01-31T08:00:01.5Z","created_at":"2026-02-01T08:00:00Z"}]}"#
    );
    assert!(answer.ends_with(row), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_sorts_with_absent_ones_last_and_ties_by_row_id() {
    let api = Api::start().await;
    stored(&api).await;
    for (query, expected) in [
        ("", ["Zeta o", "ingress o", "puptoo 0", "ingress 0"]),
        (
            "sort_by=date&sort_dir=asc",
            ["ingress 0", "puptoo 0", "ingress o", "Zeta o"],
        ),
        (
            "sort_by=created_at",
            ["Zeta o", "ingress o", "puptoo 0", "ingress 0"],
        ),
        (
            "sort_by=service&sort_dir=asc",
            ["Zeta o", "ingress 0", "ingress o", "puptoo 0"],
        ),
        (
            "sort_by=service",
            ["puptoo 0", "ingress o", "ingress 0", "Zeta o"],
        ),
        (
            "sort_by=source&sort_dir=asc",
            ["puptoo 0", "Zeta o", "ingress 0", "ingress o"],
        ),
        (
            "sort_by=source",
            ["Zeta o", "puptoo 0", "ingress o", "ingress 0"],
        ),
        (
            "sort_by=status&sort_dir=asc",
            ["Zeta o", "puptoo 0", "ingress 0", "ingress o"],
        ),
        (
            "sort_by=status_msg&sort_dir=asc",
            ["puptoo 0", "ingress 0", "ingress o", "Zeta o"],
        ),
        (
            "sort_by=status_msg",
            ["puptoo 0", "Zeta o", "ingress o", "ingress 0"],
        ),
        (
            "sort_by=request_id&sort_dir=asc",
            ["ingress 0", "puptoo 0", "ingress o", "Zeta o"],
        ),
        (
            "sort_by=request_id",
            ["Zeta o", "ingress o", "puptoo 0", "ingress 0"],
        ),
    ] {
        assert_eq!(api.said(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_together() {
    let api = Api::start().await;
    stored(&api).await;
    for (query, expected) in [
        ("service=ingress", vec!["ingress o", "ingress 0"]),
        (
            "service=INGRESS&status=Received",
            vec!["ingress o", "ingress 0"],
        ),
        ("source=Inventory", vec!["puptoo 0"]),
        ("status_msg=no%20space", vec!["puptoo 0"]),
        ("status_msg=no", vec![]),
        ("account=a", vec!["puptoo 0", "ingress 0"]),
        ("org_id=8&service=ingress", vec!["ingress o"]),
        (
            "request_id=0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D",
            vec!["puptoo 0", "ingress 0"],
        ),
        (
            "inventory_id=5b1c4f0a9d3e4b7f8a6c2e1d0f9b8c7a",
            vec!["puptoo 0", "ingress 0"],
        ),
        (
            "system_id=5b1c4f0a9d3e4b7f8a6c2e1d0f9b8c7a",
            vec!["Zeta o", "ingress o"],
        ),
        ("service=nobody", vec![]),
        ("service=ingress&status=nothing", vec![]),
        ("source=nowhere", vec![]),
    ] {
        assert_eq!(api.said(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_the_event_and_of_its_storing_bound_the_list() {
    let api = Api::start().await;
    stored(&api).await;
    for (query, expected) in [
        ("date_gte=2026-02-01", vec!["Zeta o"]),
        (
            "date_gt=2026-01-31T08:00:00Z&date_lt=2026-02-02",
            vec!["ingress o", "puptoo 0"],
        ),
        ("date_lte=2026-01-31T08:00:00Z", vec!["ingress 0"]),
        ("created_at_gte=2026-02-01", vec!["Zeta o", "ingress o"]),
        (
            "created_at_gte=2026-02-01T08:45:00Z&created_at_lt=2026-02-01T09:00:01Z",
            vec!["Zeta o"],
        ),
        (
            "created_at_gte=2026-02-01&created_at_lte=2026-02-01T08:00:00Z",
            vec!["ingress o"],
        ),
        (
            "created_at_gt=2026-02-01T08:00:00Z&date_lt=2026-02-01",
            vec![],
        ),
    ] {
        assert_eq!(api.said(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_found_from_the_moment_somebody_sends_it() {
    let api = Api::start().await;
    stored(&api).await;
    assert!(api.said("service=newcomer").await.is_empty());
    Status::of(1, "newcomer", "fresh", "2026-01-31T08:00:00Z")
        .put(&api.database.pool)
        .await;
    assert_eq!(api.said("service=newcomer").await, ["newcomer 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_listed_by_date_whatever_it_said() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let payload = Payload::of("r").put(pool).await;
    let names = ["received", "processing", "success"];
    let dates = [
        "2026-01-30T08:00:00Z",
        "2026-01-31T08:00:00Z",
        "2026-01-31T08:00:00Z",
        "2026-01-31T09:00:00Z",
        "2026-02-02T08:00:00Z",
    ];
    for (date, name) in dates.into_iter().zip(names.into_iter().cycle()) {
        for service in ["puptoo", "advisor"] {
            Status::of(payload, service, name, date).put(pool).await;
        }
    }
    let said = |query: &'static str| {
        let path = format!("/statuses?service=puptoo&{query}");
        let api = &api;
        async move { api.column(&path, "status").await }
    };
    let newest_first = [
        "processing",
        "received",
        "success",
        "processing",
        "received",
    ];
    assert_eq!(said("").await, newest_first);
    let mut oldest_first = newest_first;
    oldest_first.reverse();
    assert_eq!(said("sort_dir=asc").await, oldest_first);
    assert_eq!(said("page_size=2").await, newest_first[..2]);
    assert_eq!(said("page_size=2&page=1").await, newest_first[2..4]);
    assert_eq!(said("page_size=2&page=2").await, newest_first[4..]);
    assert_eq!(said("page_size=1&page=4").await, newest_first[4..]);
    assert!(said("page=1000").await.is_empty());
    assert_eq!(
        said("date_gt=2026-01-30T08:00:00Z&date_lt=2026-02-02").await,
        newest_first[1..4]
    );
    assert_eq!(said("created_at_gte=2026-02-01").await, newest_first[..1]);
    assert_eq!(api.json("/statuses?service=puptoo").await["count"], 5);
}
