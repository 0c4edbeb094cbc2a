//! `/payloads`.

use super::fixture::Api;
use super::rows::{Payload, host};

const HOST: &str = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a";
const HOST_PLAIN: &str = "5b1c4f0a9d3e4b7f8a6c2e1d0f9b8c7a";

/// Four payloads; two have equal times, one was written by the Go tracker.
async fn stored(api: &Api) {
    let pool = &api.database.pool;
    let first = Payload {
        account: Some("b"),
        org_id: Some("7"),
        created_at: "2026-01-31T08:00:00Z",
        ..Payload::of("aaaa")
    };
    let second = Payload {
        account: Some("a"),
        org_id: Some("7"),
        inventory_id: Some(HOST),
        created_at: "2026-01-31T09:00:00.125Z",
        ..Payload::of("cccc")
    };
    let third = Payload {
        account: Some("B"),
        org_id: Some("8"),
        system_id: Some(HOST),
        created_at: "2026-01-31T09:00:00.125Z",
        ..Payload::of("BBBB")
    };
    let old = Payload {
        account: Some(""),
        org_id: Some(""),
        inventory_id: Some(""),
        system_id: Some(""),
        created_at: "2026-01-30T00:00:00Z",
        ..Payload::of("dddd")
    };
    let (first, second, third) = (
        first.put(pool).await,
        second.put(pool).await,
        third.put(pool).await,
    );
    old.put(pool).await;
    host(first, 1, HOST, pool).await;
    host(second, 1, HOST, pool).await;
    host(third, 2, HOST, pool).await;
    host(first, 2, "not-a-uuid", pool).await;
}

impl Api {
    async fn listed(&self, query: &str) -> Vec<String> {
        self.column(&format!("/payloads?{query}"), "request_id")
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_has_all_keys_in_order_and_empty_text_for_absent() {
    let api = Api::start().await;
    stored(&api).await;
    let answer = api.text("/payloads?request_id=cccc").await;
    assert!(answer.starts_with(r#"{"count":1,"elapsed":0."#), "{answer}");
    let row = concat!(
        r#""data":[{"id":2,"request_id":"cccc","account":"a","inventory_id":"5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a","#,
        r#""system_id":"","created_at":"2026-01-31T09:00:00.125Z","org_id":"7"}]}"#
    );
    assert!(answer.ends_with(row), "{answer}");
    let answer = api.text("/payloads?request_id=dddd").await;
    let row = r#"[{"id":4,"request_id":"dddd","account":"","inventory_id":"","system_id":"","created_at":"2026-01-30T00:00:00Z","org_id":""}]}"#;
    assert!(answer.ends_with(row), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_come_first_and_pages_follow_each_other() {
    let api = Api::start().await;
    stored(&api).await;
    assert_eq!(api.listed("").await, ["BBBB", "cccc", "aaaa", "dddd"]);
    assert_eq!(
        api.listed("sort_dir=asc").await,
        ["dddd", "aaaa", "cccc", "BBBB"]
    );
    assert_eq!(api.listed("page_size=3").await, ["BBBB", "cccc", "aaaa"]);
    assert_eq!(api.listed("page_size=3&page=1").await, ["dddd"]);
    assert_eq!(
        api.json("/payloads?page_size=3&page=1").await["count"],
        4,
        "all, not the page's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_sort_by_bytes_with_absent_ones_last() {
    let api = Api::start().await;
    stored(&api).await;
    for (query, expected) in [
        (
            "sort_by=request_id&sort_dir=asc",
            ["BBBB", "aaaa", "cccc", "dddd"],
        ),
        ("sort_by=request_id", ["dddd", "cccc", "aaaa", "BBBB"]),
        (
            "sort_by=account&sort_dir=asc",
            ["BBBB", "cccc", "aaaa", "dddd"],
        ),
        (
            "sort_by=account&sort_dir=desc",
            ["aaaa", "cccc", "BBBB", "dddd"],
        ),
        (
            "sort_by=org_id&sort_dir=asc",
            ["aaaa", "cccc", "BBBB", "dddd"],
        ),
        (
            "sort_by=org_id&sort_dir=desc",
            ["BBBB", "cccc", "aaaa", "dddd"],
        ),
        (
            "sort_by=inventory_id&sort_dir=asc",
            ["cccc", "aaaa", "BBBB", "dddd"],
        ),
        (
            "sort_by=inventory_id&sort_dir=desc",
            ["cccc", "dddd", "BBBB", "aaaa"],
        ),
        (
            "sort_by=system_id&sort_dir=asc",
            ["BBBB", "aaaa", "cccc", "dddd"],
        ),
    ] {
        assert_eq!(api.listed(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_together() {
    let api = Api::start().await;
    stored(&api).await;
    let none: [&str; 0] = [];
    assert_eq!(api.listed("org_id=7").await, ["cccc", "aaaa"]);
    assert_eq!(api.listed("org_id=7&account=b").await, ["aaaa"]);
    assert_eq!(
        api.listed("account=B").await,
        ["BBBB"],
        "accounts are as they are"
    );
    assert_eq!(api.listed("org_id=9").await, none);
    assert_eq!(
        api.listed("org_id=&account=").await.len(),
        4,
        "empty ones are ignored"
    );
    assert_eq!(
        api.listed("org_id=7&org_id=8").await,
        ["cccc", "aaaa"],
        "the first counts"
    );
    assert_eq!(api.listed("nobody=knows&org_id=8").await, ["BBBB"]);
    assert_eq!(api.listed("request_id=%20cccc%20").await, ["cccc"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_finds_every_payload_that_ever_named_it() {
    let api = Api::start().await;
    stored(&api).await;
    let shouted = HOST.to_uppercase();
    for form in [HOST, HOST_PLAIN, &shouted, &format!("%20{HOST}%20")] {
        assert_eq!(
            api.listed(&format!("inventory_id={form}")).await,
            ["cccc", "aaaa"],
            "{form}"
        );
        assert_eq!(
            api.listed(&format!("system_id={form}")).await,
            ["BBBB"],
            "{form}"
        );
    }
    assert_eq!(api.listed("system_id=not-a-uuid").await, ["aaaa"]);
    assert_eq!(
        api.listed(&format!("inventory_id={HOST}&account=a")).await,
        ["cccc"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn times_bound_the_list() {
    let api = Api::start().await;
    stored(&api).await;
    for (query, expected) in [
        ("created_at_gt=2026-01-31T08:00:00Z", vec!["BBBB", "cccc"]),
        (
            "created_at_gte=2026-01-31T08:00:00Z",
            vec!["BBBB", "cccc", "aaaa"],
        ),
        ("created_at_lt=2026-01-31T08:00:00Z", vec!["dddd"]),
        ("created_at_lte=2026-01-31T08:00:00", vec!["aaaa", "dddd"]),
        ("created_at_gte=2026-01-31", vec!["BBBB", "cccc", "aaaa"]),
        ("created_at_lte=2026-01-30", vec!["dddd"]),
        (
            "created_at_gte=2026-01-31%2010:00:00+02:00&created_at_lt=2026-01-31T09:00:00.125Z",
            vec!["aaaa"],
        ),
    ] {
        assert_eq!(api.listed(query).await, expected, "{query}");
    }
}
