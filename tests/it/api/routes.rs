//! Which paths there are, and what every answer has.

use reqwest::Method;
use serde_json::Value;

use super::fixture::{Api, problem};
use super::rows::{Payload, Status};
use crate::support;

const MOUNTS: [&str; 3] = ["/api/v1", "/app/payload-tracker/api/v1", "/v1"];

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_found_at_every_mount() {
    let api = Api::start().await;
    let id = Payload::of("r").put(&api.database.pool).await;
    Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
        .put(&api.database.pool)
        .await;
    for mount in MOUNTS {
        for path in ["/payloads", "/statuses", "/payloads/r"] {
            let response = api.send(&format!("{mount}{path}")).await;
            assert_eq!(response.status(), 200, "{mount}{path}");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(
                response.json::<Value>().await.unwrap()["data"]
                    .as_array()
                    .unwrap()
                    .len(),
                1
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heart_beats_at_the_root_and_at_every_mount() {
    let api = Api::start().await;
    for path in [
        "/",
        "/api/v1/",
        "/app/payload-tracker/api/v1/",
        "/v1/",
        "/v1",
    ] {
        let response = api
            .request(path)
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(
            response.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/plain")
        );
        assert_eq!(
            response.headers().contains_key("cache-control"),
            path != "/",
            "{path}"
        );
        assert_eq!(response.text().await.unwrap(), "lubdub");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_404_in_json() {
    let api = Api::start().await;
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/v1/payloads/r/nothing",
        "/api/v2/payloads",
        "/api/v1/payloads/",
        "/%ff",
        "/api",
        "/docs/nothing",
    ] {
        let (status, message) = problem(api.send(path).await).await;
        assert_eq!(
            (status, message),
            (404, format!("there is nothing at {path}"))
        );
    }
    assert_eq!(
        api.send("/v1/nothing").await.headers()["cache-control"],
        "no-store"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_a_405_in_json() {
    let api = Api::start().await;
    for path in [
        "/",
        "/live",
        "/api/v1/",
        "/v1/payloads",
        "/v1/payloads/r",
        "/app/payload-tracker/api/v1/statuses",
    ] {
        for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
            let response = reqwest::Client::new()
                .request(method.clone(), format!("{}{path}", api.url))
                .send()
                .await
                .unwrap();
            assert_eq!(response.headers()["allow"], "GET,HEAD", "{path}");
            assert_eq!(
                problem(response).await,
                (
                    405,
                    format!("{method} is not allowed here: use GET or HEAD")
                ),
                "{path}"
            );
        }
    }
    let head = reqwest::Client::new()
        .head(format!("{}/v1/payloads", api.url))
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_elsewhere_are_let_in_where_their_origin_is_listed() {
    let database = support::database().await;
    let config = database.config();
    let api = Api::started(database, &config, &["https://console.example.com"]).await;
    let from = |origin: &'static str| api.request("/v1/payloads").header("origin", origin).send();
    let allowed = from("https://console.example.com").await.unwrap();
    assert_eq!(
        allowed.headers()["access-control-allow-origin"],
        "https://console.example.com"
    );
    let other = from("https://elsewhere.example.com").await.unwrap();
    assert_eq!(other.headers().get("access-control-allow-origin"), None);
    let preflight = reqwest::Client::new()
        .request(Method::OPTIONS, format!("{}/v1/payloads", api.url))
        .header("origin", "https://console.example.com")
        .header("access-control-request-method", "GET")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(
        preflight.headers()["access-control-allow-origin"],
        "https://console.example.com"
    );

    let closed = Api::start().await;
    let answer = closed
        .request("/v1/payloads")
        .header("origin", "https://console.example.com")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers().get("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_are_counted() {
    let api = Api::start().await;
    api.send("/v1/payloads").await;
    api.send("/v1/payloads?page=x").await;
    api.send("/v1/payloads/unknown").await;
    api.send("/live").await;
    assert_eq!(api.metrics.requests.get(), 3, "probes are not");
    for (code, count) in [("200", 1), ("400", 1), ("404", 1)] {
        assert_eq!(
            api.metrics.responses.with_label_values(&[code]).get(),
            count,
            "{code}"
        );
    }
    assert_eq!(
        api.metrics.db_seconds.get_sample_count(),
        2,
        "a page with its count, and a lookup"
    );
}
