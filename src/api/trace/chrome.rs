//! Chrome's Trace Event Format, JSON object form, which Perfetto opens.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::step::{Journey, Said, Step};
use crate::store::entity::status_classes::Class;

/// The payload is one process, each step a thread of it; the payload's own span is thread 0.
const PROCESS: u32 = 1;
const PAYLOAD: u32 = 0;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChromeTrace {
    trace_events: Vec<TraceEvent>,
    #[schema(example = "ms")]
    display_time_unit: &'static str,
    other_data: OtherData,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChromeOtherData)]
struct OtherData {
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    request_id: String,
    /// There are older statuses than these.
    #[schema(example = false)]
    truncated: bool,
}

/// `X`: a span with `dur`; `i`: a status, at an instant of its thread (`s`); `M`: a name.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ChromeEvent)]
struct TraceEvent {
    #[schema(example = "puptoo:inventory")]
    name: String,
    #[schema(example = "step")]
    cat: &'static str,
    #[schema(example = "X")]
    ph: &'static str,
    /// Microseconds since 1970.
    #[schema(example = 1_769_847_330_250_000_i64)]
    ts: i64,
    /// Microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1_250_000)]
    dur: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "t")]
    s: Option<&'static str>,
    #[schema(example = 1)]
    pid: u32,
    #[schema(example = 1)]
    tid: u32,
    args: Args,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ChromeArgs)]
struct Args {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "payload 0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "success")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "payload unpacked")]
    status_msg: Option<String>,
}

impl ChromeTrace {
    pub fn of(journey: &Journey) -> Self {
        let mut events = vec![
            named(
                "process_name",
                PAYLOAD,
                format!("payload {}", journey.request_id),
            ),
            named("thread_name", PAYLOAD, "payload".to_owned()),
        ];
        if let Some((first, last)) = journey.first().zip(journey.last()) {
            let whole = TraceEvent {
                cat: "payload",
                ..span("payload".to_owned(), PAYLOAD, first, last)
            };
            events.push(classed(whole, journey.class()));
        }
        for (step, thread) in journey.steps.iter().zip(PAYLOAD + 1..) {
            events.push(named("thread_name", thread, step.name()));
            events.extend(of_step(step, thread));
        }
        Self {
            trace_events: events,
            display_time_unit: "ms",
            other_data: OtherData {
                request_id: journey.request_id.clone(),
                truncated: journey.truncated,
            },
        }
    }
}

fn of_step(step: &Step, thread: u32) -> impl Iterator<Item = TraceEvent> {
    let whole = step.first().zip(step.last()).map(|(first, last)| {
        let whole = TraceEvent {
            cat: "step",
            ..span(step.name(), thread, first, last.at)
        };
        classed(whole, step.class())
    });
    let said = step.statuses.iter().map(move |said| status(said, thread));
    whole.into_iter().chain(said)
}

fn span(name: String, thread: u32, first: DateTime<Utc>, last: DateTime<Utc>) -> TraceEvent {
    TraceEvent {
        name,
        ph: "X",
        ts: first.timestamp_micros(),
        dur: Some((last - first).num_microseconds().unwrap_or(i64::MAX)),
        pid: PROCESS,
        tid: thread,
        ..TraceEvent::default()
    }
}

fn status(said: &Said, thread: u32) -> TraceEvent {
    let event = TraceEvent {
        name: said.status.clone(),
        cat: "status",
        ph: "i",
        ts: said.at.timestamp_micros(),
        s: Some("t"),
        pid: PROCESS,
        tid: thread,
        args: Args {
            status_msg: said.message.clone(),
            ..Args::default()
        },
        ..TraceEvent::default()
    };
    classed(event, said.class)
}

fn named(what: &'static str, thread: u32, name: String) -> TraceEvent {
    TraceEvent {
        name: what.to_owned(),
        cat: "__metadata",
        ph: "M",
        pid: PROCESS,
        tid: thread,
        args: Args {
            name: Some(name),
            ..Args::default()
        },
        ..TraceEvent::default()
    }
}

fn classed(mut event: TraceEvent, class: Class) -> TraceEvent {
    event.args.class = Some(match class {
        Class::Progress => "progress",
        Class::Success => "success",
        Class::Failure => "failure",
    });
    event
}
