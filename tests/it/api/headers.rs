//! What answers carry beside their bodies: what the document says they do.

use std::collections::BTreeSet;

use reqwest::Response;
use reqwest::header::HeaderMap;

use super::bad_input;
use super::document::{Document, words};
use super::surface::{Route, routes};

/// The document leaves them out.
const OF_HTTP: [&str; 4] = [
    "content-length",
    "content-type",
    "date",
    "transfer-encoding",
];

const OF_CSV: [&str; 4] = ["Content-Disposition", "X-Count", "X-Count-Capped", "X-Next"];

/// An answer has all headers that are documented of it but those `without`, each of its type, and no others.
fn is_as_documented(answer: &Response, route: &Route, without: &[&str]) {
    let document = Document::of_the_code();
    let (path, status) = (route.path.as_str(), answer.status());
    let of_answer = &document.root["paths"][path]["get"]["responses"][status.as_str()]["headers"];
    let mut expected = BTreeSet::new();
    for (name, header) in of_answer.as_object().into_iter().flatten() {
        if without.contains(&name.as_str()) {
            continue;
        }
        expected.insert(name.to_ascii_lowercase());
        let schema = &document.resolved(header)["schema"];
        let value = answer.headers().get(name);
        let value = value.unwrap_or_else(|| panic!("{path} {status} lacks {name}"));
        let value = value.to_str().unwrap();
        if schema["type"] == "integer" {
            assert!(value.parse::<u64>().is_ok(), "{path} {name}: {value}");
        }
        let allowed = words(&schema["enum"]);
        let is_allowed = allowed.is_empty() || allowed.contains(value);
        assert!(is_allowed, "{path} {name}: {value}");
    }
    assert_eq!(sent(answer.headers()), expected, "{path} {status}");
}

fn sent(headers: &HeaderMap) -> BTreeSet<String> {
    let names = headers.keys().map(|name| name.as_str());
    let names = names.filter(|name| !OF_HTTP.contains(name));
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_headers_that_are_documented() {
    let api = bad_input::with_limit("100000").await;
    for route in routes() {
        let refused = format!("{}?page=x&since=x&format=x&sort_by=x", route.target());
        for asked in [route.target(), route.with_id("%20"), refused] {
            is_as_documented(&api.send(&asked).await, &route, &OF_CSV);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_as_csv_have_the_headers_that_are_documented() {
    let api = bad_input::with_limit("100000").await;
    let list = |path: &str| routes().into_iter().find(|route| route.path == path);
    // Of two statuses and of one payload.
    for (path, without) in [
        ("/statuses", &["X-Count-Capped"][..]),
        ("/payloads", &["X-Count-Capped", "X-Next"]),
    ] {
        let route = list(path).unwrap();
        let asked = format!("{}?format=csv&page_size=1", route.target());
        is_as_documented(&api.send(&asked).await, &route, without);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_gets_the_headers_that_are_documented() {
    let api = bad_input::with_limit("1").await;
    api.send("/").await;
    for route in routes().iter().filter(|route| !route.is_probe()) {
        let answer = api.send(&route.target()).await;
        assert_eq!(answer.status(), 429, "{}", route.path);
        is_as_documented(&answer, route, &[]);
    }
}
