//! The OpenAPI document.

use std::collections::BTreeSet;
use std::time::Duration;

use payload_tracker::api::openapi;
use serde_json::Value;
use tokio::time::timeout;

use super::document::{Document, words};
use super::fixture::Api;
use super::stream::with_lanes;
use super::stream::{Said, Stream, commit};

#[test]
fn the_checked_in_document_is_what_the_code_generates() {
    let checked_in = include_str!("../../../api/openapi.json");
    let generated = openapi::printed().unwrap();
    assert!(
        checked_in == generated,
        "api/openapi.json is stale: run `make openapi`"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_its_pages_are_served() {
    let api = Api::start().await;
    let served: Value = api.send("/openapi.json").await.json().await.unwrap();
    assert_eq!(
        served,
        serde_json::from_str::<Value>(&openapi::printed().unwrap()).unwrap()
    );
    let page = api.send("/docs/").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger-ui"));
    let redirected = api.send("/docs").await;
    assert!(
        redirected.url().path().starts_with("/docs/"),
        "{}",
        redirected.url()
    );
    assert_eq!(redirected.status(), 200);
    let settings = api.send("/docs/swagger-initializer.js").await;
    let settings = settings.text().await.unwrap();
    assert!(
        settings.contains(r#""validatorUrl": "none""#),
        "the page tells nobody else about the document: {settings}"
    );
}

/// Every parameter the document lists is read: an impossible value for it changes the answer, or it
/// is a filter that then matches nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_documented_parameter_is_read() {
    let api = Api::start().await;
    super::rows::Payload::of("r").put(&api.database.pool).await;
    api.sql("INSERT INTO services VALUES (1, 's'); INSERT INTO statuses VALUES (1, 's')")
        .await;
    super::rows::partition("2026-01-31", &api.database.pool).await;
    api.sql("INSERT INTO payload_statuses (payload_id, service_id, status_id, date) VALUES (1, 1, 1, '2026-01-31')").await;
    let document: Value = serde_json::from_str(&openapi::printed().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let names: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let expected = [
        "/",
        "/accounting",
        "/archive/{id}",
        "/explain/{id}",
        "/failures",
        "/health",
        "/live",
        "/payloads",
        "/payloads/{request_id}",
        "/payloads/{request_id}/archiveLink",
        "/payloads/{request_id}/events",
        "/payloads/{request_id}/kibanaLink",
        "/payloads/{request_id}/trace",
        "/producers",
        "/ready",
        "/rejects",
        "/rejects/{id}",
        "/roles/archiveLink",
        "/stats",
        "/statuses",
        "/stuck",
        "/statuses/live",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    for (path, item) in paths {
        let concrete = path.replace("{request_id}", "r");
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            // A stream does not end: see below.
            if parameter["in"] == "query" && path != "/statuses/live" {
                let name = parameter["name"].as_str().unwrap();
                let answer = api.send(&format!("/v1{concrete}?{name}=%01nothing")).await;
                let refused = answer.status() == 400;
                let answer: Value = answer.json().await.unwrap();
                let empty = answer["data"] == Value::Array(vec![]);
                let link = answer["url"]
                    .as_str()
                    .is_some_and(|url| url.contains("%01nothing"));
                assert!(refused || empty || link, "{path} does not read {name}");
                assert_eq!(parameter["required"], false, "{path} {name}");
                for word in words(&parameter["schema"]["enum"]) {
                    let answer = api.send(&format!("/v1{concrete}?{name}={word}")).await;
                    assert_eq!(answer.status(), 200, "{path} {name}={word}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_parameter_of_a_stream_is_read() {
    let api = with_lanes(1).await;
    let document = Document::of_the_code();
    let mut deaf = Vec::new();
    for parameter in document.parameters("/statuses/live") {
        let name = parameter["name"].as_str().unwrap();
        let path = format!("/statuses/live?{name}=%01nothing");
        if parameter["in"] == "query" && api.send(&format!("/v1{path}")).await.status() != 400 {
            let mut stream = Stream::open(&api, &path, None).await;
            stream.position().await;
            deaf.push((name, stream));
        }
    }
    let mut all = Stream::open(&api, "/statuses/live", None).await;
    all.position().await;
    commit(&Said::default(), 0, 0..1, &api.database.pool).await;
    all.status().await;
    assert_eq!(deaf.len(), 9, "filters that take any text");
    for (name, mut stream) in deaf {
        let nothing = timeout(Duration::from_millis(50), stream.status()).await;
        assert!(nothing.is_err(), "/statuses/live does not read {name}");
    }
}

/// A page that tries a route sends what it finds filled in: defaults do no harm there, while
/// examples of filters would narrow every list to nothing.
#[test]
fn what_a_parameter_is_filled_in_with_is_its_default() {
    let document: Value = serde_json::from_str(&openapi::printed().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let parameters = paths
        .values()
        .flat_map(|path| path["get"]["parameters"].as_array())
        .flatten()
        .filter(|parameter| parameter["in"] == "query");
    let mut defaults = BTreeSet::new();
    for parameter in parameters {
        assert_eq!(parameter.get("example"), None, "{parameter}");
        let schema = &parameter["schema"];
        assert!(
            schema["type"] == "string" || schema["type"] == "integer",
            "{parameter}"
        );
        if let Some(default) = schema.get("default") {
            defaults.insert(format!("{}={default}", parameter["name"].as_str().unwrap()));
            let words = schema["enum"].as_array();
            assert!(
                words.is_none_or(|words| words.contains(default)),
                "{parameter}"
            );
        }
    }
    let expected = [
        r#"older_than="0s""#,
        r#"format="json""#,
        r#"format="otlp""#,
        "page=0",
        "page_size=10",
        r#"since="24h""#,
        r#"sort_by="created_at""#,
        r#"sort_by="date""#,
        r#"sort_dir="desc""#,
        r#"stat="SuccessRate""#,
        "verbosity=0",
    ];
    assert_eq!(defaults, expected.map(str::to_owned).into());
}

#[test]
fn every_parameter_of_the_contract_is_documented() {
    let document: Value = serde_json::from_str(&openapi::printed().unwrap()).unwrap();
    let window = |of: &str| {
        ["lt", "lte", "gt", "gte"]
            .map(|bound| format!("{of}_{bound}"))
            .to_vec()
    };
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (path, expected) in [
        (
            "/payloads",
            [words("format page page_size cursor sort_by sort_dir account org_id inventory_id system_id request_id"), window("created_at")].concat(),
        ),
        (
            "/statuses",
            [
                words("format page page_size cursor sort_by sort_dir service source status status_msg request_id inventory_id system_id account org_id"),
                window("date"),
                window("created_at"),
            ]
            .concat(),
        ),
        ("/payloads/{request_id}", words("request_id sort_by sort_dir verbosity")),
        ("/payloads/{request_id}/trace", words("request_id format")),
        ("/payloads/{request_id}/events", words("request_id Last-Event-ID")),
        (
            "/statuses/live",
            [
                words("Last-Event-ID service source status status_msg request_id inventory_id system_id account org_id"),
                window("date"),
                window("created_at"),
            ]
            .concat(),
        ),
        (
            "/rejects",
            [words("page page_size service reason request_id partition redriven"), window("received_at")].concat(),
        ),
        ("/rejects/{id}", words("id")),
        ("/payloads/{request_id}/archiveLink", words("request_id x-rh-identity")),
        ("/payloads/{request_id}/kibanaLink", words("request_id service")),
        ("/roles/archiveLink", words("x-rh-identity")),
        ("/stats", words("stat")),
        ("/producers", words("since")),
        ("/failures", words("since")),
        ("/stuck", words("older_than")),
        ("/explain/{id}", words("id")),
    ] {
        let documented = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let documented: BTreeSet<_> = documented.iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(documented, BTreeSet::from_iter(expected), "{path}");
    }
}
