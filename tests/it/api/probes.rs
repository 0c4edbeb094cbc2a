//! Probes and metrics, and the binary that serves them.

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;

use super::fixture::{Api, problem};
use crate::support::{self, Process, eventually};

async fn status(api: &Api, path: &str) -> u16 {
    api.send(path).await.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_database_the_api_is_ready() {
    let api = Api::start().await;
    for path in ["/live", "/ready", "/health"] {
        let response = api.send(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.text().await.unwrap(), r#"{"status":"ok"}"#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tables_it_says_which_and_what_to_do() {
    let api = Api::on(support::empty_database().await).await;
    assert_eq!(status(&api, "/live").await, 200);
    for path in ["/ready", "/health"] {
        let (status, message) = problem(api.send(path).await).await;
        assert_eq!(status, 503);
        assert!(
            message.contains("payload_ids") && message.contains("pt migrate up"),
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_does_not_make_it_unready() {
    let api = Api::start().await;
    let mut holder = api.database.pool.begin().await.unwrap();
    sea_orm::sqlx::raw_sql("LOCK TABLE payloads, payload_ids")
        .execute(&mut *holder)
        .await
        .unwrap();
    assert_eq!(status(&api, "/ready").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_starts_without_its_database_and_ends_cleanly() {
    let database = support::database().await;
    let mut env = database.env();
    env.retain(|(name, _)| name != "DB_PORT");
    env.push(("DB_PORT".to_owned(), support::free_port().to_string()));
    let mut api = Process::spawn("pt-api", env);
    eventually("pt-api lives", Duration::from_secs(10), || async {
        api.probe("/live")
            .await
            .filter(|(status, _)| *status == 200)
    })
    .await;
    let (status, body) = api.get("/ready").await.unwrap();
    assert_eq!(status, 503);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], 503, "{body}");
    assert_eq!(api.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_serves_both_ports() {
    let database = support::database().await;
    let mut api = Process::spawn("pt-api", database.env());
    eventually("pt-api is ready", Duration::from_secs(10), || async {
        api.probe("/ready")
            .await
            .filter(|(status, _)| *status == 200)
    })
    .await;
    assert_eq!(api.get("/v1/payloads").await.unwrap().0, 200);
    assert_eq!(api.get("/v1/payloads/%00").await.unwrap().0, 404);
    let (status, metrics) = api.probe("/metrics").await.unwrap();
    assert_eq!(status, 200);
    for line in [
        "payload_tracker_requests 2",
        r#"payload_tracker_responses{code="200"} 1"#,
        r#"payload_tracker_responses{code="404"} 1"#,
        "payload_tracker_api_invalid_request_IDs 1",
        "payload_tracker_db_seconds_count 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    let nothing = Client::new()
        .get(format!("http://127.0.0.1:{}/nothing", api.metrics_port))
        .send()
        .await
        .unwrap();
    assert_eq!(problem(nothing).await.0, 404);
    assert_eq!(api.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_stops_the_binary_with_one_line() {
    let mut api = Process::spawn(
        "pt-api",
        [("CORS_ALLOWED_ORIGINS".to_owned(), "no origin".to_owned())],
    );
    assert_eq!(api.exited(Duration::from_secs(10)).await.code(), Some(2));
    let log = api.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains("CORS_ALLOWED_ORIGINS") && log.contains("no origin"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_prints_its_document_and_its_settings() {
    let mut api = Process::spawn_with("pt-api", &["--openapi"], []);
    assert!(api.exited(Duration::from_secs(10)).await.success());
    assert!(api.log() == include_str!("../../../api/openapi.json"));
    let mut api = Process::spawn_with(
        "pt-api",
        &["--check-config"],
        [("DB_PASSWORD".to_owned(), "secret".to_owned())],
    );
    assert!(api.exited(Duration::from_secs(10)).await.success());
    let report = api.log();
    assert!(
        report.contains("DB_PASSWORD=***") && !report.contains("secret"),
        "{report}"
    );
}
