//! Nonsense in every parameter and id of every route: a clear 4xx, or nothing found, and never more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fixture::Api;
use super::raw::{Answer, ask};
use super::rows::{Payload, Status};
use super::stream::{Stream, lanes};
use super::surface::{Kind, REQUEST, Route, routes};

/// Nobody's, whatever it is taken for: neither a number nor a word, nor a time, nor a cursor.
const NONSENSE: [&str; 26] = [
    "%00",
    "a%00b",
    "%ff%fe",
    "%C0%AF",
    "%ED%A0%80",
    "%",
    "%zz",
    "%E2%80%AE%F0%9F%92%A9",
    "\u{1f4a9}\u{202e}",
    "'%20OR%201=1%20--",
    "%22;DROP%20TABLE%20payloads;--",
    "$(id)%60id%60%0d%0aSet-Cookie:%20a=b",
    "%7B%7B7*7%7D%7D%3Cscript%3E",
    "../../etc/passwd",
    "null",
    "[]",
    "%7B%7D",
    "-1",
    "-0",
    "1e309",
    "NaN",
    "0x10",
    "1.5",
    "%EF%BC%91%EF%BC%90",
    "9999999999999999999999999999999999999999d",
    "-9223372036854775808",
];

/// With one payload, one reject and the mock of storage-broker.
pub async fn api() -> Api {
    with_limit("0").await
}

/// The same, for so many requests a minute.
pub async fn with_limit(per_minute: &str) -> Api {
    let limit = ("MAX_REQUESTS_PER_MINUTE", per_minute);
    let api = Api::with(&[("REQUESTOR_IMPL", "mock"), limit]).await;
    let pool = &api.database.pool;
    let id = Payload::of(REQUEST).put(pool).await;
    for second in ["2026-01-31T08:00:00Z", "2026-01-31T08:00:01Z"] {
        Status::of(id, "ingress", "received", second)
            .put(pool)
            .await;
    }
    api.sql("INSERT INTO rejects (topic, partition, \"offset\", reason, detail) VALUES ('t', 0, 0, 'malformed', 'd')")
        .await;
    api
}

/// Everything still works, and nothing went wrong on the way.
pub async fn is_well(api: &Api) {
    for route in routes() {
        let answer = ask(api, "GET", &route.target(), "").await;
        let expected = if route.path == "/roles/archiveLink" {
            401
        } else {
            200
        };
        assert_eq!(answer.status, expected, "{} {answer:?}", route.path);
    }
    for status in ["500", "502", "503", "504"] {
        let count = api.metrics.responses.with_label_values(&[status]).get();
        assert_eq!(count, 0, "{status}");
    }
}

/// A 4xx that the route may answer, and says why.
fn is_clear(route: &Route, answer: &Answer, asked: &str) {
    let ok = answer.status == 200 || (400..500).contains(&answer.status);
    assert!(ok && route.may_answer(answer.status), "{asked}: {answer:?}");
    if answer.status != 200 {
        answer.message();
    }
}

/// What a filter that nothing matches answers.
fn is_empty(answer: &Answer) -> bool {
    let csv = answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/csv"));
    answer.status == 200 && (csv || answer.json()["data"] == serde_json::json!([]))
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_in_a_parameter_is_a_400_that_names_it_or_finds_nothing() {
    let api = api().await;
    let long = "x".repeat(5_000);
    let longer = "%C3%A9".repeat(10_000);
    for route in routes() {
        for parameter in &route.query {
            let name = &parameter.name;
            for value in NONSENSE
                .iter()
                .copied()
                .chain([long.as_str(), longer.as_str()])
            {
                let asked = format!("{}?{name}={value}", route.target());
                let answer = ask(&api, "GET", &asked, "").await;
                is_clear(&route, &answer, &asked);
                match parameter.kind {
                    Kind::Text if route.is_stream => assert_eq!(answer.status, 200, "{asked}"),
                    Kind::Text if answer.json()["url"].is_string() => {}
                    Kind::Text => assert!(is_empty(&answer), "{asked}: {answer:?}"),
                    Kind::Number | Kind::Word | Kind::Formed => {
                        assert_eq!(answer.status, 400, "{asked}: {answer:?}");
                        let message = answer.message();
                        let named = message.starts_with(&format!("{name} "));
                        assert!(named && message.contains(" is not "), "{asked}: {message}");
                    }
                }
            }
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edges_of_numbers_and_times_are_answered() {
    let api = api().await;
    for route in routes() {
        for parameter in &route.query {
            let values: &[&str] = match parameter.kind {
                Kind::Number => &[
                    "0",
                    "1",
                    "1000",
                    "1001",
                    "2147483647",
                    "2147483648",
                    "9223372036854775807",
                    "18446744073709551616",
                ],
                Kind::Formed => &[
                    "0000-01-01",
                    "0000-01-01T00:00:00%2B23:59",
                    "9999-12-31T23:59:59.999999-23:59",
                    "0s",
                    "7d",
                    "800000d",
                    "4000000d",
                    "90000000d",
                    "99999999999999s",
                    "9223372036854775807s",
                ],
                Kind::Word | Kind::Text => &[],
            };
            for value in values {
                let asked = format!("{}?{}={value}", route.target(), parameter.name);
                is_clear(&route, &ask(&api, "GET", &asked, "").await, &asked);
            }
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_no_type_holds_is_refused_like_any_other() {
    let api = api().await;
    let mut refused = 0;
    for route in routes() {
        let numbers = route.query.iter().filter(|p| p.kind == Kind::Number);
        for name in numbers.map(|parameter| &parameter.name) {
            for number in ["18446744073709551616", "99999999999999999999999999999999"] {
                let asked = format!("{}?{name}={number}", route.target());
                let answer = ask(&api, "GET", &asked, "").await;
                let begins = format!("{name} \"{number}\" is not ");
                assert!(answer.message().starts_with(&begins), "{asked}: {answer:?}");
                assert_eq!(answer.status, 400, "{asked}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_nobody_s_is_a_404() {
    let api = api().await;
    let long = "x".repeat(5_000);
    let longest = "x".repeat(60 * 1024);
    let encoded = "%00".repeat(20_000);
    let others = [
        "%2F",
        "..%2f..%2fetc%2fpasswd",
        "%20",
        "*",
        ":",
        ";a=b",
        "a:b",
    ];
    let ids = NONSENSE
        .iter()
        .copied()
        .chain(others)
        .filter(|id| !id.contains('/'));
    for id in ids.chain([long.as_str(), longest.as_str(), encoded.as_str()]) {
        for route in routes().iter().filter(|route| route.has_id()) {
            let asked = route.with_id(id);
            let answer = ask(&api, "GET", &asked, "").await;
            is_clear(route, &answer, &asked);
            let expected = match route.path.as_str() {
                // Nothing is looked up, unless no payload can have it.
                "/payloads/{request_id}/kibanaLink" => &[200, 404],
                "/payloads/{request_id}/archiveLink" => &[400][..],
                _ => &[404],
            };
            let is_expected = expected.contains(&answer.status);
            assert!(is_expected, "{asked:.100}: {answer:?}");
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_was_meddled_with_is_refused() {
    let api = api().await;
    for list in [
        "/statuses?page_size=1",
        "/statuses?page_size=1&sort_by=created_at",
    ] {
        let next = api.json(list).await["next"].as_str().unwrap().to_owned();
        let bytes = URL_SAFE_NO_PAD.decode(&next).unwrap();
        for at in [
            i64::MIN,
            i64::MAX,
            i64::MIN / 2,
            i64::MAX / 2,
            -(1 << 58),
            1 << 58,
            -1,
            0,
        ] {
            for id in [i64::MIN, i64::MAX, 0] {
                let forged = [&bytes[..8], &at.to_be_bytes(), &id.to_be_bytes()].concat();
                let cursor = URL_SAFE_NO_PAD.encode(forged);
                let answer = ask(&api, "GET", &format!("/v1{list}&cursor={cursor}"), "").await;
                match answer.status {
                    200 => {}
                    _ => assert!(
                        answer.message().starts_with("cursor "),
                        "{at} {id}: {answer:?}"
                    ),
                }
            }
        }
        for cut in 0..next.len() {
            let answer = ask(
                &api,
                "GET",
                &format!("/v1{list}&cursor={}", &next[..cut]),
                "",
            )
            .await;
            let expected = if cut == 0 { 200 } else { 400 };
            assert_eq!(answer.status, expected, "{cut}: {answer:?}");
        }
    }
    is_well(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_id_that_was_meddled_with_is_refused_or_a_place_to_go_on_from() {
    let api = api().await;
    lanes(2, &api.database.pool).await;
    let path = "/statuses/live";
    let id = Stream::open(&api, path, None).await.position().await;
    let bytes = URL_SAFE_NO_PAD.decode(&id).unwrap();
    let mut forged: Vec<Vec<u8>> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
    for place in 0..bytes.len() {
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let mut other = bytes.clone();
            other[place] = byte;
            forged.push(other.clone());
            // As large as a number can be.
            other.splice(place..=place, [&[0xff; 8][..], &[byte]].concat());
            forged.push(other);
        }
    }
    let mut opened = 0;
    for forged in forged.iter().filter(|forged| !forged.is_empty()) {
        let id = URL_SAFE_NO_PAD.encode(forged);
        let header = format!("last-event-id: {id}\r\n");
        let answer = ask(&api, "GET", &format!("/v1{path}"), &header).await;
        if answer.status == 200 {
            opened += 1;
            Stream::open(&api, path, Some(&id)).await.position().await;
        } else {
            assert_eq!(answer.status, 400, "{forged:?}: {answer:?}");
            assert!(answer.message().starts_with("Last-Event-ID is not"));
        }
    }
    assert!(opened > 0);
    is_well(&api).await;
}
