//! How much one client may ask.

use chrono::Utc;
use reqwest::header::HeaderMap;

use super::fixture::{Api, problem};

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().unwrap().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_is_told_for_how_long_to_wait() {
    let api = Api::with(&[("MAX_REQUESTS_PER_MINUTE", "4")]).await;
    for (path, status, remaining) in [
        ("/v1/payloads", 200, 3),
        ("/v1/payloads?page=x", 400, 2),
        ("/nothing", 404, 1),
        ("/openapi.json", 200, 0),
        ("/v1/payloads", 429, 0),
        ("/", 429, 0),
    ] {
        let answer = api.send(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers();
        assert_eq!(number(headers, "x-ratelimit-limit"), Some(4), "{path}");
        assert_eq!(
            number(headers, "x-ratelimit-remaining"),
            Some(remaining),
            "{path}"
        );
        let left = number(headers, "x-ratelimit-reset").unwrap() - Utc::now().timestamp();
        assert!((0..=60).contains(&left), "{path}: {left}");
        let wait = number(headers, "retry-after");
        assert_eq!(wait.is_some(), status == 429, "{path}");
        assert!(
            wait.is_none_or(|seconds| (1..=60).contains(&seconds)),
            "{path}: {wait:?}"
        );
        if status == 429 {
            let (_, message) = problem(answer).await;
            let begins = "more than 4 requests a minute: try again in ";
            assert!(message.starts_with(begins), "{message}");
        }
    }
    assert_eq!(
        api.send("/v1/payloads").await.headers()["cache-control"],
        "no-store"
    );
    assert_eq!(api.metrics.responses.with_label_values(&["429"]).get(), 3);
    for probe in ["/live", "/ready", "/health"] {
        let answer = api.send(probe).await;
        assert_eq!(answer.status(), 200, "{probe}");
        assert_eq!(
            number(answer.headers(), "x-ratelimit-limit"),
            None,
            "{probe}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_nothing_is_said_of_one() {
    let api = Api::with(&[("MAX_REQUESTS_PER_MINUTE", "0")]).await;
    let answer = api.send("/").await;
    assert_eq!(answer.status(), 200);
    assert!(
        !answer
            .headers()
            .keys()
            .any(|name| name.as_str().starts_with("x-ratelimit"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_whom_a_trusted_proxy_names_and_nobody_else() {
    let status = async |api: &Api, forwarded_for: &str| {
        let request = api.request("/").header("x-forwarded-for", forwarded_for);
        request.send().await.unwrap().status().as_u16()
    };
    let limit = ("MAX_REQUESTS_PER_MINUTE", "1");
    let behind = Api::with(&[limit, ("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")]).await;
    assert_eq!(status(&behind, "192.0.2.1").await, 200);
    assert_eq!(status(&behind, "192.0.2.2, 10.0.0.7").await, 200);
    assert_eq!(
        status(&behind, "203.0.113.9, 192.0.2.1").await,
        429,
        "what the client itself claims"
    );

    let open = Api::with(&[limit]).await;
    assert_eq!(status(&open, "192.0.2.1").await, 200);
    assert_eq!(
        status(&open, "192.0.2.2").await,
        429,
        "the peer is the client"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_elsewhere_can_read_that_it_asked_too_much() {
    let origin = "https://console.example.com";
    let api = Api::with(&[
        ("MAX_REQUESTS_PER_MINUTE", "1"),
        ("CORS_ALLOWED_ORIGINS", origin),
    ])
    .await;
    api.send("/v1/payloads").await;
    let answer = api
        .request("/v1/payloads")
        .header("origin", origin)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["access-control-allow-origin"], origin);
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    for header in ["retry-after", "x-request-id", "x-count", "x-next"] {
        assert!(exposed.split(',').any(|name| name == header), "{exposed}");
    }
}
