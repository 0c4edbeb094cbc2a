//! `/payloads/{request_id}`.

use serde_json::json;

use super::fixture::Api;
use super::rows::{Payload, Status};

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
const DASHED: &str = "0f3c8f1e-6a5d-4a7b-9c2d-1e0f8a7b6c5d";
const HOST: &str = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a";

/// One upload on its way through three services.
async fn upload(api: &Api) -> i64 {
    let pool = &api.database.pool;
    let payload = Payload {
        account: Some(""),
        org_id: Some("1979710"),
        inventory_id: Some(HOST),
        ..Payload::of(ID)
    };
    let id = payload.put(pool).await;
    for status in [
        Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z"),
        Status::of(id, "ingress", "success", "2026-01-31T08:00:00.5Z").saying(""),
        Status::of(id, "puptoo", "processing", "2026-01-31T08:00:01Z")
            .from("inventory")
            .saying("unpacked"),
        Status::of(id, "advisor", "success", "2026-02-01T10:30:00.000001Z")
            .stored("2026-02-01T10:30:00.25Z"),
        Status::of(id, "puptoo", "success", "2026-01-31T08:00:02.250000Z").from("inventory"),
    ] {
        status.put(pool).await;
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_have_their_keys_in_order_and_absent_ones_left_out() {
    let api = Api::start().await;
    let id = upload(&api).await;
    let answer = api.text(&format!("/payloads/{ID}")).await;
    let first = format!(
        concat!(
            r#"{{"data":[{{"id":{id},"service":"advisor","org_id":"1979710","request_id":"{ID}","inventory_id":"{HOST}","#,
            r#""created_at":"2026-02-01T10:30:00.25Z","status":"success","date":"2026-02-01T10:30:00.000001Z"}},"#
        ),
        id = id,
        ID = ID,
        HOST = HOST,
    );
    assert!(answer.starts_with(&first), "{answer}");
    let with_source = format!(
        concat!(
            r#"{{"id":{id},"service":"puptoo","source":"inventory","org_id":"1979710","request_id":"{ID}","inventory_id":"{HOST}","#,
            r#""created_at":"2026-01-31T08:00:01Z","status":"processing","status_msg":"unpacked","date":"2026-01-31T08:00:01Z"}}"#
        ),
        id = id,
        ID = ID,
        HOST = HOST,
    );
    assert!(answer.contains(&with_source), "{answer}");
    let duration = concat!(
        r#""duration":{"ingress:undefined":"00:00:00.500000","puptoo:inventory":"00:00:01.250000","#,
        r#""advisor:undefined":"00:00:00.000000","total_time_in_services":"00:00:01.750000","total_time":"26:30:00.000001"}}"#
    );
    assert!(answer.ends_with(duration), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_comes_first_unless_asked_otherwise() {
    let api = Api::start().await;
    upload(&api).await;
    let services = |query: &str| api.column_of(format!("/payloads/{ID}{query}"));
    let latest_first = [
        "advisor success",
        "puptoo success",
        "puptoo processing",
        "ingress success",
        "ingress received",
    ];
    assert_eq!(services("").await, latest_first);
    assert_eq!(services("?sort_by=date&sort_dir=desc").await, latest_first);
    let mut oldest_first = latest_first;
    oldest_first.reverse();
    assert_eq!(services("?sort_dir=asc").await, oldest_first);
    assert_eq!(
        services("?sort_by=source&sort_dir=asc").await,
        [
            "puptoo processing",
            "puptoo success",
            "ingress received",
            "ingress success",
            "advisor success"
        ],
        "absent sources come last, ties by row id"
    );
    assert_eq!(
        services("?sort_by=source&sort_dir=desc").await,
        [
            "puptoo success",
            "puptoo processing",
            "advisor success",
            "ingress success",
            "ingress received"
        ],
    );
    for constant in [
        "request_id",
        "account",
        "org_id",
        "inventory_id",
        "system_id",
    ] {
        assert_eq!(
            services(&format!("?sort_by={constant}&sort_dir=asc")).await,
            [
                "ingress received",
                "ingress success",
                "puptoo processing",
                "advisor success",
                "puptoo success"
            ],
            "{constant} is constant: by row id"
        );
    }
}

impl Api {
    async fn column_of(&self, path: String) -> Vec<String> {
        let answer = self.json(&path).await;
        let rows = answer["data"].as_array().unwrap();
        let word = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.iter()
            .map(|row| format!("{} {}", word(row, "service"), word(row, "status")))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verbosity_chooses_the_fields_and_changes_neither_sorting_nor_duration() {
    let api = Api::start().await;
    upload(&api).await;
    let everything = api
        .json(&format!("/payloads/{ID}?verbosity=0&sort_by=status_msg"))
        .await;
    let brief = api
        .text(&format!("/payloads/{ID}?verbosity=1&sort_by=status_msg"))
        .await;
    let row = format!(
        r#"{{"data":[{{"service":"puptoo","inventory_id":"{HOST}","status":"processing","status_msg":"unpacked","date":"2026-01-31T08:00:01Z"}},"#
    );
    assert!(brief.starts_with(&row), "{brief}");
    let terse = api
        .text(&format!("/payloads/{ID}?verbosity=2&sort_by=status_msg"))
        .await;
    let row =
        r#"{"data":[{"service":"puptoo","status":"processing","date":"2026-01-31T08:00:01Z"},"#;
    assert!(terse.starts_with(row), "{terse}");
    for other in [&brief, &terse] {
        let other: serde_json::Value = serde_json::from_str(other).unwrap();
        assert_eq!(other["duration"], everything["duration"]);
        let dates = |answer: &serde_json::Value| -> Vec<_> {
            answer["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["date"].clone())
                .collect()
        };
        assert_eq!(dates(&other), dates(&everything));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_id_finds_the_payload() {
    let api = Api::start().await;
    upload(&api).await;
    let shouted = DASHED.to_uppercase();
    for form in [
        ID,
        DASHED,
        &shouted,
        &format!("%20{ID}%20"),
        &format!("{ID}:host-7"),
    ] {
        assert_eq!(
            api.json(&format!("/payloads/{form}")).await["data"]
                .as_array()
                .unwrap()
                .len(),
            5,
            "{form}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_go_tracker_are_found_as_they_are() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    for (stored, asked) in [
        (DASHED, ID),
        (
            "AB3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D",
            "ab3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
        ),
        ("Some-Other-ID", "Some-Other-ID"),
        (" blanks ", "%20blanks%20"),
        ("slash/ed", "slash%2Fed"),
    ] {
        let id = Payload::of(stored).put(pool).await;
        Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
            .put(pool)
            .await;
        let answer = api.json(&format!("/payloads/{asked}")).await;
        assert_eq!(answer["data"][0]["request_id"], stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forms_of_one_id_are_answered_together() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let ours = upload(&api).await;
    let old = Payload {
        system_id: Some("old"),
        ..Payload::of(DASHED)
    }
    .put(pool)
    .await;
    Status::of(old, "ingress", "older", "2026-01-30T08:00:00Z")
        .put(pool)
        .await;
    let answer = api.json(&format!("/payloads/{ID}")).await;
    let rows = answer["data"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert_eq!(
        (&rows[0]["id"], &rows[0]["system_id"]),
        (&json!(ours), &json!(null))
    );
    assert_eq!(
        (&rows[5]["id"], &rows[5]["system_id"]),
        (&json!(old), &json!("old"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_can_be_no_id_is_a_404() {
    let api = Api::start().await;
    for (path, shown) in [
        ("unknown", "unknown"),
        ("%20", " "),
        ("a%00b", "a\0b"),
        ("%ff", "\u{fffd}"),
        ("%zz", "%zz"),
        (
            "00000000-0000-0000-0000-000000000000",
            "00000000-0000-0000-0000-000000000000",
        ),
    ] {
        assert_eq!(
            api.problem(&format!("/payloads/{path}")).await,
            (404, format!("payload with id: {shown} not found"))
        );
    }
    let long = "x".repeat(10_000);
    assert_eq!(api.problem(&format!("/payloads/{long}")).await.0, 404);
    assert_eq!(
        api.metrics.invalid_request_ids.get(),
        3,
        "the blank, the U+0000 and the long one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_of_a_payload_narrow_where_its_statuses_are_looked_for() {
    let api = Api::start().await;
    upload(&api).await;
    let all = [
        "advisor success",
        "puptoo success",
        "puptoo processing",
        "ingress success",
        "ingress received",
    ];
    api.sql("UPDATE payloads SET first_day = '2026-01-31', last_day = '2026-02-01'")
        .await;
    assert_eq!(api.column_of(format!("/payloads/{ID}")).await, all);
    api.sql("UPDATE payloads SET first_day = '2026-01-31', last_day = '2026-01-31'")
        .await;
    assert_eq!(api.column_of(format!("/payloads/{ID}")).await, all[1..]);
    api.sql("UPDATE payloads SET first_day = '2026-02-01', last_day = '2026-02-01'")
        .await;
    assert_eq!(api.column_of(format!("/payloads/{ID}")).await, all[..1]);
    api.sql("UPDATE payloads SET first_day = NULL").await;
    assert_eq!(api.column_of(format!("/payloads/{ID}")).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_statuses_the_newest_are_answered_and_all_are_timed() {
    let api = Api::start().await;
    let id = Payload::of(ID).put(&api.database.pool).await;
    Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
        .put(&api.database.pool)
        .await;
    let most = "INSERT INTO payload_statuses (payload_id, service_id, status_id, date) \
         SELECT payload_id, service_id, status_id, date + n * interval '1 second' \
         FROM payload_statuses, generate_series(1, 9999) AS n";
    api.sql(most).await;
    let answer = api.json(&format!("/payloads/{ID}?sort_dir=asc")).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 10_000);
    assert_eq!(answer.get("truncated"), None);
    Status::of(id, "zeta", "last", "2026-01-31T12:00:00Z")
        .from("")
        .put(&api.database.pool)
        .await;
    let answer = api.json(&format!("/payloads/{ID}?sort_dir=asc")).await;
    assert_eq!(answer["truncated"], true);
    let rows = answer["data"].as_array().unwrap();
    assert_eq!(rows.len(), 10_000);
    assert_eq!(
        rows[0]["date"], "2026-01-31T08:00:01Z",
        "the oldest is left out"
    );
    assert_eq!(rows[9_999]["service"], "zeta");
    assert_eq!(
        rows[9_999].get("source"),
        None,
        "an empty name is an absent one"
    );
    assert_eq!(
        answer["duration"],
        json!({
            "ingress:undefined": "02:46:39.000000",
            "zeta:undefined": "00:00:00.000000",
            "total_time_in_services": "02:46:39.000000",
            "total_time": "04:00:00.000000",
        }),
        "over all, the left-out one included"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_names_what_is_allowed() {
    let api = Api::start().await;
    for (query, message) in [
        (
            "sort_by=nothing",
            r#"sort_by "nothing" is not one of service, source, status, status_msg, date, created_at, request_id, account, org_id, inventory_id, system_id"#,
        ),
        ("sort_dir=up", r#"sort_dir "up" is not one of asc, desc"#),
        ("verbosity=3", r#"verbosity "3" is not one of 0, 1, 2"#),
    ] {
        assert_eq!(
            api.problem(&format!("/payloads/{ID}?{query}")).await,
            (400, message.to_owned())
        );
    }
}
