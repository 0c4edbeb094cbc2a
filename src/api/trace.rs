//! `GET {mount}/payloads/{request_id}/trace`: a payload as tools for traces read it.

mod chrome;
mod otlp;
mod step;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::params::{Asked, Choice, FromParams, Params, ParentId};
use super::payload::lookup;
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use crate::store::entity::status_classes;
use chrome::ChromeTrace;
use otlp::OtlpTrace;
use step::Journey;

/// In which form.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TraceQuery {
    /// `otlp`: OTLP JSON, as OpenTelemetry's collectors read it. `chrome`: Chrome's trace events, as
    /// Perfetto reads them.
    #[param(value_type = Option<TraceFormat>, inline)]
    format: TraceFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase", default = "otlp")]
enum TraceFormat {
    #[default]
    Otlp,
    Chrome,
}

impl Choice for TraceFormat {
    const ALLOWED: &'static [(&'static str, Self)] =
        &[("otlp", Self::Otlp), ("chrome", Self::Chrome)];
}

impl FromParams for TraceQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            format: params.choice("format", TraceFormat::default())?,
        })
    }
}

/// Export a payload as a trace
///
/// A span for the payload and one in it for each service and source, from its first status to its last,
/// with an event for each status. A span whose last status is a failure (by date, then row id) has the
/// error status, and so has the payload's where one of them does. Of more than 10,000 statuses it has
/// the newest, and says so.
#[utoipa::path(
    get, path = "/payloads/{request_id}/trace", tag = "payloads", operation_id = "getTrace",
    params(
        ("request_id" = String, Path, description = "Dashed or not, with blanks around it or not", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
        TraceQuery,
    ),
    responses(
        (status = 200, description = "The trace", body = inline(AnyTrace)),
        (status = 400, description = "A parameter is not what it has to be", body = ProblemBody),
        (status = 404, description = "No payload has this request id", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    ParentId(given): ParentId,
    Asked(query): Asked<TraceQuery>,
) -> Result<Response, Problem> {
    let traced = lookup(&app, given).await?;
    let names: std::collections::BTreeSet<String> = traced
        .rows
        .iter()
        .filter_map(|r| r.status.clone())
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    let classes = app
        .reader
        .look_up(move |session| Box::pin(status_classes::of_names(names.clone(), session)))
        .await
        .map_err(ReadError::problem)?;
    let journey = Journey::of(traced, &classes);
    Ok(match query.format {
        TraceFormat::Otlp => Json(OtlpTrace::of(&journey)).into_response(),
        TraceFormat::Chrome => Json(ChromeTrace::of(&journey)).into_response(),
    })
}

/// One of the two, by `format`.
#[derive(ToSchema)]
#[schema(title = "Trace")]
#[serde(untagged)]
#[allow(dead_code, reason = "documents what is written from either type")]
enum AnyTrace {
    Otlp(OtlpTrace),
    Chrome(ChromeTrace),
}
