//! OTLP JSON: OpenTelemetry's protocol in the JSON encoding of protobuf, with ids in hex.
//!
//! In the OpenAPI document each type has a name of its own: of two with the same name, such as `Status`, the
//! document holds one, and says nothing. `Value` would be taken for serde_json's, which is anything.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use openssl::sha::sha256;
use serde::Serialize;
use utoipa::ToSchema;

use super::step::{Journey, Said, Step};
use crate::store::entity::status_classes::Class;

/// `SPAN_KIND_INTERNAL`
const INTERNAL: u8 = 1;
const OK: u8 = 1;
const ERROR: u8 = 2;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtlpTrace {
    /// One for the payload, then one for each service.
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpResourceSpans)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpResource)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpScopeSpans)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpScope)]
struct Scope {
    #[schema(example = "payload-tracker")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpSpan)]
#[serde(rename_all = "camelCase")]
struct Span {
    /// The request id where it is 32 hex digits or a UUID, else made from it.
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    trace_id: String,
    #[schema(example = "ba3978b163e0b516")]
    span_id: String,
    /// Left out of the payload's own span.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "8bf994a2bb2578fc")]
    parent_span_id: Option<String>,
    #[schema(example = "puptoo:inventory")]
    name: String,
    #[schema(example = 1)]
    kind: u8,
    /// In decimal digits.
    #[schema(example = "1769847330250000000")]
    start_time_unix_nano: String,
    #[schema(example = "1769847331500000000")]
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    events: Vec<Event>,
    status: Status,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpEvent)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[schema(example = "1769847331500000000")]
    time_unix_nano: String,
    /// The status as it was sent.
    #[schema(example = "success")]
    name: String,
    attributes: Vec<Attribute>,
}

/// 0: unset, 1: ok, 2: error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpStatus)]
struct Status {
    #[schema(example = 2)]
    code: u8,
    /// Of an error, what the service said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "no space left")]
    message: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpAttribute)]
struct Attribute {
    #[schema(example = "service.name")]
    key: &'static str,
    value: AnyValue,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtlpValue, example = json!({"stringValue": "puptoo"}))]
#[serde(rename_all = "camelCase")]
enum AnyValue {
    StringValue(String),
    BoolValue(bool),
}

impl OtlpTrace {
    pub fn of(journey: &Journey) -> Self {
        let trace_id = trace_id(&journey.request_id);
        let root = root_span(journey, &trace_id);
        let mut services: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
        for step in &journey.steps {
            let span = step_span(step, &trace_id, &root.span_id);
            services.entry(&step.service).or_default().push(span);
        }
        let of_payload = ResourceSpans::of("payload-tracker", vec![root]);
        let of_services = services
            .into_iter()
            .map(|(service, spans)| ResourceSpans::of(service, spans));
        Self {
            resource_spans: std::iter::once(of_payload).chain(of_services).collect(),
        }
    }
}

impl ResourceSpans {
    fn of(service: &str, spans: Vec<Span>) -> Self {
        let scope = Scope {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        };
        Self {
            resource: Resource {
                attributes: vec![text("service.name", service)],
            },
            scope_spans: vec![ScopeSpans { scope, spans }],
        }
    }
}

fn root_span(journey: &Journey, trace_id: &str) -> Span {
    let failed = |step: &&Step| step.class() == Class::Failure;
    let failure = journey.steps.iter().find(failed).and_then(Step::last);
    let mut attributes = vec![text("payload.request_id", &journey.request_id)];
    if let Some(payload) = &journey.payload {
        let named = [
            ("payload.org_id", &payload.org_id),
            ("payload.account", &payload.account),
            ("payload.inventory_id", &payload.inventory_id),
            ("payload.system_id", &payload.system_id),
        ];
        let named = named.into_iter().filter_map(|(key, value)| {
            let value = value.as_deref().filter(|value| !value.is_empty())?;
            Some(text(key, value))
        });
        attributes.extend(named);
    }
    if journey.truncated {
        attributes.push(Attribute {
            key: "payload.truncated",
            value: AnyValue::BoolValue(true),
        });
    }
    Span {
        trace_id: trace_id.to_owned(),
        span_id: span_id(&[trace_id]),
        parent_span_id: None,
        name: "payload".to_owned(),
        kind: INTERNAL,
        start_time_unix_nano: nanoseconds(journey.first()),
        end_time_unix_nano: nanoseconds(journey.last()),
        attributes,
        events: Vec::new(),
        status: status(journey.class(), failure),
    }
}

fn step_span(step: &Step, trace_id: &str, parent: &str) -> Span {
    let mut attributes = vec![text("payload.service", &step.service)];
    attributes.extend(
        step.source
            .as_deref()
            .map(|source| text("payload.source", source)),
    );
    let source = step.source.as_deref().unwrap_or_default();
    Span {
        trace_id: trace_id.to_owned(),
        span_id: span_id(&[trace_id, &step.service, source]),
        parent_span_id: Some(parent.to_owned()),
        name: step.name(),
        kind: INTERNAL,
        start_time_unix_nano: nanoseconds(step.first()),
        end_time_unix_nano: nanoseconds(step.last().map(|said| said.at)),
        attributes,
        events: step.statuses.iter().map(event).collect(),
        status: status(step.class(), step.last()),
    }
}

fn event(said: &Said) -> Event {
    let message = said.message.as_deref();
    Event {
        time_unix_nano: nanoseconds(Some(said.at)),
        name: said.status.clone(),
        attributes: message
            .map(|message| text("payload.status_msg", message))
            .into_iter()
            .collect(),
    }
}

fn status(class: Class, said: Option<&Said>) -> Status {
    match class {
        Class::Progress => Status {
            code: 0,
            message: None,
        },
        Class::Success => Status {
            code: OK,
            message: None,
        },
        Class::Failure => Status {
            code: ERROR,
            message: said.and_then(|said| said.message.clone()),
        },
    }
}

fn text(key: &'static str, value: &str) -> Attribute {
    Attribute {
        key,
        value: AnyValue::StringValue(value.to_owned()),
    }
}

/// No trace has the id of zeros alone, so that request id is treated as any other text.
fn trace_id(request_id: &str) -> String {
    let is_id = request_id.len() == 32
        && request_id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && request_id.bytes().any(|byte| byte != b'0');
    if is_id {
        request_id.to_ascii_lowercase()
    } else {
        hex(&sha256(request_id.as_bytes())[..16])
    }
}

/// The same for the same parts whenever it is asked.
fn span_id(parts: &[&str]) -> String {
    hex(&sha256(parts.join("\0").as_bytes())[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Dates are years 0 to 9999, of which nanoseconds in 64 bits reach from 1970 to 2262; others are 0.
fn nanoseconds(at: Option<DateTime<Utc>>) -> String {
    let nanoseconds = at.and_then(|at| at.timestamp_nanos_opt());
    nanoseconds.unwrap_or_default().max(0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_the_request_id_or_made_from_it() {
        let id = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
        assert_eq!(trace_id(id), id);
        for other in ["r", "", "00000000000000000000000000000000", &"é".repeat(16)] {
            let made = trace_id(other);
            assert_eq!(made.len(), 32, "{other}");
            assert!(made.bytes().any(|byte| byte != b'0'));
            assert_eq!(made, trace_id(other));
            assert_ne!(made, other);
        }
    }

    #[test]
    fn parts_of_a_span_id_are_not_run_together() {
        assert_ne!(span_id(&["t", "ab", "c"]), span_id(&["t", "a", "bc"]));
    }
}
