//! Links to archives, and who may have them.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Response;
use serde_json::{Value, json};

use super::broker::{Broker, LINK, breaking_off};
use super::fixture::{Api, problem};
use crate::support;

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
const DASHED: &str = "0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D";

fn identity(roles: &[&str]) -> String {
    let identity = json!({"identity": {"type": "Associate", "associate": {"Role": roles}}});
    BASE64_STANDARD.encode(identity.to_string())
}

fn allowed() -> String {
    identity(&["other", "platform-archive-download"])
}

async fn asking(url: &str) -> Api {
    let set = [
        ("STORAGEBROKERURL", url),
        ("STORAGEBROKERREQUESTTIMEOUT", "300"),
    ];
    Api::with(&set).await
}

async fn ask(api: &Api, id: &str) -> Response {
    let path = format!("/api/v1/payloads/{id}/archiveLink");
    let request = api.request(&path).header("x-rh-identity", allowed());
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_brokers_link_is_given_and_its_redirect_followed() {
    let broker = Broker::start().await;
    let api = asking(&broker.url("/archive/url")).await;
    for given in [
        ID,
        DASHED,
        &format!("%20{ID}%20"),
        &format!("{DASHED}:host-7"),
    ] {
        let answer = ask(&api, given).await;
        assert_eq!(answer.status(), 200, "{given}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"url": LINK}));
    }
    let twice = [
        format!("/archive/url?request_id={ID}"),
        format!("/archive/url/?request_id={ID}"),
    ];
    assert_eq!(
        broker.asked(),
        [&twice[..], &twice, &twice, &twice].concat(),
        "in canonical form"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_and_role_come_before_the_id() {
    let broker = Broker::start().await;
    let api = asking(&broker.url("/archive/url")).await;
    let ask = |header: Option<String>, path: &str| {
        let request = api.request(path);
        match header {
            Some(header) => request.header("x-rh-identity", header),
            None => request,
        }
        .send()
    };
    let (other, broken) = (identity(&["other"]), "no base64".to_owned());
    for path in [
        "/api/v1/payloads/no-uuid/archiveLink",
        "/v1/payloads/%00/archiveLink",
        "/app/payload-tracker/api/v1/roles/archiveLink",
    ] {
        let refused =
            |header: Option<String>| async { problem(ask(header, path).await.unwrap()).await };
        let missing = (401, "x-rh-identity is missing".to_owned());
        assert_eq!(refused(None).await, missing, "{path}");
        assert_eq!(refused(Some(broken.clone())).await.0, 401, "{path}");
        let lacking = (
            403,
            "this takes the role platform-archive-download".to_owned(),
        );
        assert_eq!(refused(Some(other.clone())).await, lacking, "{path}");
    }
    let before = api.metrics.invalid_request_ids.get();
    let answer = ask(Some(allowed()), "/v1/payloads/no-uuid/archiveLink")
        .await
        .unwrap();
    let no_uuid = (400, r#"request_id "no-uuid" is not a UUID"#.to_owned());
    assert_eq!(problem(answer).await, no_uuid);
    assert_eq!(api.metrics.invalid_request_ids.get(), before + 1);
    assert_eq!(broker.asked(), [""; 0]);

    let role = ask(Some(allowed()), "/v1/roles/archiveLink").await.unwrap();
    assert_eq!(
        (role.status().as_u16(), role.text().await.unwrap().as_str()),
        (200, r#"{"allowed":true}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_may_be_wanted() {
    let api = Api::with(&[("STORAGEBROKERURLROLE", "other")]).await;
    let as_role = |role| {
        api.request("/v1/roles/archiveLink")
            .header("x-rh-identity", identity(&[role]))
            .send()
    };
    assert_eq!(as_role("other").await.unwrap().status(), 200);
    assert_eq!(
        as_role("platform-archive-download").await.unwrap().status(),
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_storage_broker_does_not_know_is_a_404() {
    let broker = Broker::start().await;
    for path in ["/not-found", "/bad-request", "/no-link"] {
        let api = asking(&broker.url(path)).await;
        let expected = (
            404,
            format!("the archive of payload with id: {ID} not found"),
        );
        assert_eq!(problem(ask(&api, ID).await).await, expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_broker_that_fails_is_a_502_that_does_not_name_it() {
    let broker = Broker::start().await;
    let mut urls: Vec<String> = ["/fails", "/no-json", "/huge", "/loops"]
        .map(|path| broker.url(path))
        .into();
    urls.push(breaking_off().await);
    urls.push(format!("http://127.0.0.1:{}/nobody", support::free_port()));
    urls.push("http://no-such-host.invalid/".to_owned());
    for url in urls {
        let api = asking(&url).await;
        let expected = (
            502,
            "storage-broker, which gives out the links, fails".to_owned(),
        );
        assert_eq!(problem(ask(&api, ID).await).await, expected, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_broker_that_hangs_is_a_504_after_the_timeout() {
    let broker = Broker::start().await;
    for path in ["/hangs", "/stalls"] {
        hangs(&broker.url(path)).await;
    }
}

async fn hangs(url: &str) {
    let api = asking(url).await;
    let asked = Instant::now();
    let (status, message) = problem(ask(&api, ID).await).await;
    assert_eq!(status, 504, "{url}");
    assert!(
        message.contains("does not answer in time") && !message.contains("127.0.0.1"),
        "{message}"
    );
    let took = asked.elapsed();
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_needs_no_identity_and_serves_what_it_links_to() {
    let api = Api::with(&[("REQUESTOR_IMPL", "mock")]).await;
    for mount in ["/api/v1", "/app/payload-tracker/api/v1", "/v1"] {
        let answer = api
            .send(&format!("{mount}/payloads/{DASHED}/archiveLink"))
            .await;
        let answer: Value = answer.json().await.unwrap();
        let link = answer["url"].as_str().unwrap();
        assert_eq!(link, format!("{}{mount}/archive/{ID}", api.url));
        let archive = reqwest::get(link).await.unwrap();
        assert_eq!(
            archive.text().await.unwrap(),
            format!("the archive of {ID}\n")
        );
    }
    assert_eq!(api.problem("/payloads/no-uuid/archiveLink").await.0, 400);
    assert_eq!(api.problem("/archive/no-uuid").await.0, 404);
    assert_eq!(api.problem("/roles/archiveLink").await.0, 401);

    let real = Api::start().await;
    let path = format!("/archive/{ID}");
    assert_eq!(
        real.problem(&path).await,
        (404, format!("there is nothing at /api/v1{path}"))
    );
}
