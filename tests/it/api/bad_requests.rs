//! Wrong methods, bodies where none belongs, and heads that say strange things, on every route.

use super::bad_input::{api, is_well};
use super::raw::{ask, send};
use super::surface::routes;

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_a_405_that_says_which_are_allowed() {
    let api = api().await;
    let paths = routes().into_iter().map(|route| route.target());
    let beside = [
        "/",
        "/openapi.json",
        "/docs/",
        "/v1",
        "/api/v1/",
        "/app/payload-tracker/api/v1/payloads",
    ];
    let long = "BREW".repeat(500);
    for path in paths.chain(beside.map(str::to_owned)) {
        for method in [
            "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", &long,
        ] {
            let answer = ask(&api, method, &path, "").await;
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert_eq!(answer.header("allow"), Some("get,head"), "{method} {path}");
            let message = answer.message();
            assert!(message.contains(&method[..3]), "{method} {path}: {message}");
            assert!(
                message.contains("GET or HEAD"),
                "{method} {path}: {message}"
            );
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_does_without_a_body() {
    let api = api().await;
    for route in routes() {
        let (get, head) = (
            ask(&api, "GET", &route.target(), "").await,
            ask(&api, "HEAD", &route.target(), "connection: close\r\n").await,
        );
        assert_eq!(get.status, head.status, "{}", route.path);
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{}",
            route.path
        );
        assert_eq!(head.body, "", "{}", route.path);
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_not_looked_at() {
    let api = api().await;
    let huge = "x".repeat(1_000_000);
    let bodies = [
        "content-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\": 1}\n".to_owned(),
        "content-type: application/json\r\ncontent-length: 1\r\n\r\n{".to_owned(),
        "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nzzz\r\n".to_owned(),
        format!("content-length: {}\r\n\r\n{huge}", huge.len()),
        // It never comes.
        "content-length: 1000000000\r\n\r\n".to_owned(),
        "expect: 100-continue\r\ncontent-length: 5\r\n\r\n".to_owned(),
    ];
    for route in routes() {
        let expected = ask(&api, "GET", &route.target(), "").await.status;
        for body in &bodies {
            let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n{body}", route.target());
            let answer = send(&api, request.as_bytes()).await.expect("an answer");
            assert_eq!(answer.status, expected, "{}: {answer:?}", &request[..100]);
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_make_no_sense_are_refused_or_passed_over() {
    let api = api().await;
    let deep = format!("x-rh-identity: {}\r\n", "W1tb".repeat(10_000));
    let headers = [
        "x-rh-identity: \u{1f4a9}\r\n",
        "x-rh-identity: bnVsbA==\r\nx-rh-identity: e30=\r\n",
        &deep,
        "accept: \u{ff}/;q=\r\naccept-encoding: zip;q=-1\r\n",
        "range: bytes=5-1\r\nif-none-match: \"\r\nif-modified-since: never\r\n",
        "x-request-id: \u{1f4a9}\r\nx-rh-insights-request-id: a b\r\n",
        "x-forwarded-for: ,,999.1.1.1, [::\r\nforwarded: for=;;\r\n",
        "origin: null\r\naccess-control-request-method: \r\n",
        "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\n",
        "content-type: multipart/form-data\r\ncookie: a=\u{0080}\r\n",
    ];
    for route in routes() {
        for header in headers {
            let answer = ask(&api, "GET", &route.target(), header).await;
            let expected = if route.path == "/roles/archiveLink" {
                401
            } else {
                200
            };
            assert_eq!(
                answer.status, expected,
                "{} {header:.100}: {answer:?}",
                route.path
            );
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_are_no_paths_are_answered() {
    let api = api().await;
    let long = format!("/{}", "x".repeat(60 * 1024));
    for target in [
        "*",
        "x:80",
        "http://elsewhere/v1/nothing",
        "//",
        "/v1//payloads",
        "/v1/./payloads",
        "/v1/payloads/../statuses",
        "/v1/payloads/a/b/c",
        "/v1/%70ayloads/",
        "/%00",
        "/%ff",
        "/\u{1f4a9}",
        "/docs/%ff",
        "/docs/%00",
        "/docs/..%2f..%2fetc%2fpasswd",
        "/v1;/payloads",
        &long,
    ] {
        let answer = ask(&api, "GET", target, "").await;
        assert_eq!(answer.status, 404, "{target:.100}: {answer:?}");
        answer.message();
    }
    let elsewhere = ask(&api, "GET", "http://elsewhere/v1/payloads", "").await;
    assert_eq!(elsewhere.status, 200, "the whole URL, as proxies send it");
    for (bytes, expected) in [
        (&b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n"[..], Some(400)),
        (b"GET / HTTP/9.9\r\nhost: x\r\n\r\n", Some(400)),
        (b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n", Some(400)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", Some(400)),
        (
            b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            Some(400),
        ),
        (
            b"GET / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
            Some(400),
        ),
        (b"GET / HTTP/1.1\r\na\x00b: c\r\n\r\n", Some(400)),
        (b"\x16\x03\x01\x02\x00\x01\x00", Some(400)),
    ] {
        let answer = send(&api, bytes).await;
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(answer.map(|answer| answer.status), expected, "{shown:?}");
    }
    is_well(&api).await;
}
