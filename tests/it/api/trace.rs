//! `/payloads/{request_id}/trace`.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use serde_json::{Map, Value};

use super::fixture::Api;
use super::rows::{Payload, Status};

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";

/// A payload that came through ingress and failed in one of puptoo's two sources.
async fn stored(api: &Api, request_id: &'static str) {
    let pool = &api.database.pool;
    let upload = Payload {
        org_id: Some("7"),
        account: Some(""),
        ..Payload::of(request_id)
    };
    let id = upload.put(pool).await;
    for status in [
        Status::of(id, "puptoo", "received", "2026-01-31T08:00:02Z").from("inventory"),
        Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z"),
        Status::of(id, "ingress", "success", "2026-01-31T08:00:01.25Z"),
        Status::of(id, "puptoo", "error", "2026-01-31T08:00:03Z")
            .from("inventory")
            .saying("no \"space\"\nleft"),
        Status::of(id, "puptoo", "error", "2026-01-31T08:00:02Z").from("yum"),
        Status::of(id, "puptoo", "advertised", "2026-01-31T08:00:04.000001Z").from("yum"),
    ] {
        status.put(pool).await;
    }
}

/// Root and steps, by name.
async fn spans(api: &Api, request_id: &str) -> Vec<Span> {
    let text = api
        .text(&format!("/payloads/{request_id}/trace?format=otlp"))
        .await;
    let data: TracesData = serde_json::from_str(&text).unwrap();
    let mut spans = Vec::new();
    for of_resource in data.resource_spans {
        let service = text_of(&of_resource.resource.unwrap().attributes, "service.name").unwrap();
        for of_scope in of_resource.scope_spans {
            assert_eq!(of_scope.scope.unwrap().name, "payload-tracker");
            for span in of_scope.spans {
                let name = span.name.split(':').next().unwrap();
                assert!(service == name || service == "payload-tracker" && name == "payload");
                spans.push(span);
            }
        }
    }
    spans.sort_by(|a, b| a.name.cmp(&b.name));
    spans
}

fn text_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        AnyValue::StringValue(text) => Some(text),
        other => panic!("{other:?}"),
    }
}

fn nanoseconds(at: &str) -> u64 {
    let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
    at.timestamp_nanos_opt().unwrap() as u64
}

fn code(span: &Span) -> StatusCode {
    span.status.clone().unwrap_or_default().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_reads_a_span_a_service_and_source_below_the_payload_s() {
    let api = Api::start().await;
    stored(&api, ID).await;
    let spans = spans(&api, ID).await;
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        ["ingress", "payload", "puptoo:inventory", "puptoo:yum"]
    );
    let root = &spans[1];
    assert!(root.parent_span_id.is_empty());
    assert_eq!(
        text_of(&root.attributes, "payload.request_id").as_deref(),
        Some(ID)
    );
    assert_eq!(
        text_of(&root.attributes, "payload.org_id").as_deref(),
        Some("7")
    );
    assert_eq!(text_of(&root.attributes, "payload.account"), None);
    let bytes: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&ID[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for span in &spans {
        assert_eq!(span.trace_id, bytes);
        assert_eq!(span.span_id.len(), 8);
        ids.insert(span.span_id.clone());
        if span.name != "payload" {
            assert_eq!(span.parent_span_id, root.span_id);
        }
    }
    assert_eq!(ids.len(), spans.len(), "each has an id of its own");
    for (span, from, until) in [
        (root, "2026-01-31T08:00:00Z", "2026-01-31T08:00:04.000001Z"),
        (&spans[0], "2026-01-31T08:00:00Z", "2026-01-31T08:00:01.25Z"),
        (&spans[2], "2026-01-31T08:00:02Z", "2026-01-31T08:00:03Z"),
    ] {
        assert_eq!(
            span.start_time_unix_nano,
            nanoseconds(from),
            "{}",
            span.name
        );
        assert_eq!(span.end_time_unix_nano, nanoseconds(until), "{}", span.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_events_and_the_last_one_decides_on_the_error() {
    let api = Api::start().await;
    stored(&api, ID).await;
    let spans = spans(&api, ID).await;
    let events = |span: &Span| -> Vec<String> {
        span.events.iter().map(|event| event.name.clone()).collect()
    };
    assert_eq!(events(&spans[0]), ["received", "success"]);
    assert_eq!(events(&spans[2]), ["received", "error"]);
    assert_eq!(
        spans[2].events[1].time_unix_nano,
        nanoseconds("2026-01-31T08:00:03Z")
    );
    assert_eq!(
        text_of(&spans[2].events[1].attributes, "payload.status_msg").as_deref(),
        Some("no \"space\"\nleft")
    );
    let codes: Vec<StatusCode> = spans.iter().map(code).collect();
    use StatusCode::{Error, Ok, Unset};
    assert_eq!(codes, [Ok, Error, Error, Unset]);
    assert_eq!(
        spans[2].status.as_ref().unwrap().message,
        "no \"space\"\nleft"
    );
    assert_eq!(
        spans[1].status.as_ref().unwrap().message,
        "no \"space\"\nleft"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_s_class_counts() {
    let api = Api::start().await;
    stored(&api, ID).await;
    api.sql("INSERT INTO status_classes VALUES ('advertised', 'failure') ON CONFLICT (status) DO UPDATE SET class = excluded.class")
        .await;
    assert_eq!(code(&spans(&api, ID).await[3]), StatusCode::Error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_of_another_form_has_a_trace_id_that_stays() {
    let api = Api::start().await;
    stored(&api, "not-an-id").await;
    let first = spans(&api, "not-an-id").await;
    assert_eq!(first[0].trace_id.len(), 16);
    assert_eq!(first, spans(&api, "not-an-id").await);
}

/// What the Trace Event Format asks of the events used here.
fn check_event(event: &Map<String, Value>) {
    let text = |key: &str| {
        event[key]
            .as_str()
            .unwrap_or_else(|| panic!("{key}: {event:?}"))
    };
    let number = |key: &str| {
        event[key]
            .as_i64()
            .unwrap_or_else(|| panic!("{key}: {event:?}"))
    };
    assert!(!text("name").is_empty());
    assert!(event["args"].is_object());
    text("cat");
    number("pid");
    number("tid");
    let known = ["name", "cat", "ph", "ts", "dur", "s", "pid", "tid", "args"];
    assert!(
        event.keys().all(|key| known.contains(&key.as_str())),
        "{event:?}"
    );
    assert!(number("ts") >= 0);
    match text("ph") {
        "X" => assert!(number("dur") >= 0),
        "i" => assert!(["g", "p", "t"].contains(&text("s"))),
        "M" => {
            assert!(["process_name", "thread_name"].contains(&text("name")));
            assert!(event["args"]["name"].is_string());
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chrome_s_form_has_a_thread_a_step() {
    let api = Api::start().await;
    stored(&api, ID).await;
    let trace = api
        .json(&format!("/payloads/{ID}/trace?format=chrome"))
        .await;
    assert_eq!(trace["displayTimeUnit"], "ms");
    assert_eq!(trace["otherData"]["request_id"], ID);
    let events = trace["traceEvents"].as_array().unwrap();
    for event in events {
        check_event(event.as_object().unwrap());
    }
    let of =
        |kind: &str| -> Vec<&Value> { events.iter().filter(|event| event["ph"] == kind).collect() };
    let spans: Vec<_> = of("X")
        .iter()
        .map(|e| {
            (
                e["name"].as_str().unwrap(),
                e["tid"].as_i64().unwrap(),
                e["dur"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            ("payload", 0, 4_000_001),
            ("ingress", 1, 1_250_000),
            ("puptoo:inventory", 2, 1_000_000),
            ("puptoo:yum", 3, 2_000_001),
        ]
    );
    assert_eq!(
        of("X")[1]["ts"],
        nanoseconds("2026-01-31T08:00:00Z") / 1_000
    );
    assert_eq!(of("X")[2]["args"]["class"], "failure");
    assert_eq!(of("i").len(), 6);
    assert_eq!(of("M").len(), 5);
    for status in of("i") {
        let thread = of("X")
            .into_iter()
            .find(|span| span["tid"] == status["tid"])
            .unwrap();
        let (from, at) = (
            thread["ts"].as_i64().unwrap(),
            status["ts"].as_i64().unwrap(),
        );
        assert!((from..=from + thread["dur"].as_i64().unwrap()).contains(&at));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_is_chosen_among_two_and_the_payload_has_to_be_there() {
    let api = Api::start().await;
    stored(&api, ID).await;
    let dashed = "0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D";
    let plain = api.json(&format!("/payloads/{dashed}/trace")).await;
    assert!(
        plain["resourceSpans"].is_array(),
        "OTLP unless asked otherwise"
    );
    assert_eq!(
        api.problem(&format!("/payloads/{ID}/trace?format=zipkin"))
            .await,
        (
            400,
            "format \"zipkin\" is not one of otlp, chrome".to_owned()
        )
    );
    assert_eq!(
        api.problem("/payloads/unknown/trace").await,
        (404, "payload with id: unknown not found".to_owned())
    );
}
