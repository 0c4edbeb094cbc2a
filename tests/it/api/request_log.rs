//! The id of a request, and its line in the log.

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::broker::{Broker, LINK};
use super::fixture::Api;
use crate::support::{self, Process, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_comes_back_under_both_names() {
    let api = Api::start().await;
    let ask = async |name: &str, id: &str| {
        let answer = api
            .request("/nothing")
            .header(name, id)
            .send()
            .await
            .unwrap();
        let [platform, other] = ["x-rh-insights-request-id", "x-request-id"]
            .map(|name| answer.headers()[name].to_str().unwrap().to_owned());
        assert_eq!(platform, other);
        other
    };
    assert_eq!(ask("x-request-id", "a-1.b").await, "a-1.b");
    assert_eq!(ask("x-rh-insights-request-id", "c").await, "c");
    let made = ask("x-request-id", &"x".repeat(1_000)).await;
    assert_eq!(made.len(), 32);
    assert_ne!(ask("x-request-id", "<b>").await, made);
}

const LINK_OF: &str = "/v1/payloads/0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d/archiveLink";
/// Of somebody who may have links.
const IDENTITY: &str =
    "eyJpZGVudGl0eSI6eyJhc3NvY2lhdGUiOnsiUm9sZSI6WyJwbGF0Zm9ybS1hcmNoaXZlLWRvd25sb2FkIl19fX0=";

async fn ask_for_link(api: &Process, patience: Duration) -> reqwest::Result<Response> {
    Client::new()
        .get(format!("http://127.0.0.1:{}{LINK_OF}", api.public_port))
        .header("x-rh-identity", IDENTITY)
        .timeout(patience)
        .send()
        .await
}

/// The lines of requests, as they were logged so far.
fn lines(api: &Process) -> Vec<Value> {
    let lines = api.log();
    let lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.get("method").is_some()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_one_line_without_secrets() {
    let broker = Broker::start().await;
    let mut env = support::database().await.env();
    env.extend([
        ("STORAGEBROKERURL".to_owned(), broker.url("/archive/url")),
        ("TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned()),
        ("LOGLEVEL".to_owned(), "trace".to_owned()),
    ]);
    let mut api = Process::spawn("pt-api", env);
    eventually("pt-api is ready", Duration::from_secs(10), || async {
        api.probe("/ready")
            .await
            .filter(|(status, _)| *status == 200)
    })
    .await;
    let asked = Client::new()
        .get(format!(
            "http://127.0.0.1:{}{LINK_OF}?token=t0ken",
            api.public_port
        ))
        .header("x-rh-identity", IDENTITY)
        .header("x-forwarded-for", "192.0.2.7")
        .header("x-request-id", "mine")
        .send()
        .await
        .unwrap();
    assert!(
        asked.text().await.unwrap().contains(LINK),
        "the client has the link"
    );
    assert_eq!(api.get("/live").await.unwrap().0, 200);
    assert_eq!(api.get("/nothing").await.unwrap().0, 404);
    let found = eventually("both lines", Duration::from_secs(10), || async {
        Some(lines(&api)).filter(|lines| lines.len() >= 2)
    })
    .await;
    assert_eq!(api.terminate().await.code(), Some(0));
    assert_eq!(lines(&api).len(), 2, "one a request, none for a probe");

    let mut first = found[0].clone();
    let took = first["duration_ms"].take();
    assert!(took.as_f64().unwrap() > 0.0, "{took}");
    first["@timestamp"].take();
    let expected = json!({
        "@timestamp": null, "levelname": "INFO", "message": "request", "app": "pt-api",
        "method": "GET", "path": LINK_OF, "status": 200, "duration_ms": null,
        "request_id": "mine", "client": "192.0.2.7",
    });
    assert_eq!(first, expected);
    assert_eq!(found[1]["status"], 404);
    assert_eq!(found[1]["client"], "127.0.0.1");

    let log = api.log();
    for secret in [IDENTITY, "s1gned", "t0ken"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_behind_a_signed_link_is_logged_without_it() {
    let broker = Broker::start().await;
    let mut env = support::database().await.env();
    env.push(("STORAGEBROKERURL".to_owned(), broker.url("/signed")));
    env.push(("LOGLEVEL".to_owned(), "trace".to_owned()));
    let api = Process::spawn("pt-api", env);
    eventually("pt-api lives", Duration::from_secs(10), || async {
        api.probe("/live").await
    })
    .await;
    let answer = ask_for_link(&api, Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer.status(), 502);
    eventually("a line", Duration::from_secs(10), || async {
        lines(&api).pop()
    })
    .await;
    let log = api.log();
    assert!(
        log.contains("no link to an archive") && !log.contains("s1gned"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_went_away_has_a_line_too() {
    let broker = Broker::start().await;
    let mut env = support::database().await.env();
    env.push(("STORAGEBROKERURL".to_owned(), broker.url("/hangs")));
    let api = Process::spawn("pt-api", env);
    eventually("pt-api lives", Duration::from_secs(10), || async {
        api.probe("/live").await
    })
    .await;
    let asked = ask_for_link(&api, Duration::from_millis(300)).await;
    assert!(asked.is_err(), "nothing is answered meanwhile");
    let line = eventually("a line", Duration::from_secs(10), || async {
        lines(&api).pop()
    })
    .await;
    assert_eq!(line["message"], "the client went away before its answer");
    assert_eq!((&line["path"], line.get("status")), (&json!(LINK_OF), None));
}
