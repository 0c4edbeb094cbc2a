//! `GET {mount}/stuck`: payloads past their expected end.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::names::{Ids, NamesById};
use super::params::{Asked, FromParams, Params, since_schema};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use super::render::Instant;
use crate::since;
use crate::store::learning::stuck::{self, StuckPayload, Summary};

/// What the list is narrowed by when it is too wide.
const NARROW: &str = "a larger older_than";

/// How long past their end.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StuckQuery {
    /// Only payloads that are past their expected end for longer than this, such as `90s`, `10m` or
    /// `2h`; or RFC 3339: whose expected end lies before this.
    #[param(schema_with = default_schema, required = false)]
    older_than: DateTime<Utc>,
}

fn default_schema() -> Schema {
    since_schema("0s")
}

impl FromParams for StuckQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        let now = Utc::now();
        let read = |text: &str| {
            // An unescaped `+` of a zone arrives as a blank.
            since::since(&text.replace(' ', "+"), now)
                .or_else(|| since::since(text, now))
                .filter(|at| *at <= now)
        };
        let older_than = params.read("older_than", read, since::FORMS)?;
        Ok(Self {
            older_than: older_than.unwrap_or(now),
        })
    }
}

/// Payloads that are past their expected end.
#[derive(Debug, Serialize, ToSchema)]
pub struct StuckPayloads {
    /// By the step they are stuck before, or in, most payloads first; up to 100 steps.
    data: Vec<StuckRow>,
    /// More payloads are open than are looked at, 100,000: not all that are stuck are counted; else
    /// left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    capped: bool,
}

/// Payloads that are stuck at one step.
#[derive(Debug, Serialize, ToSchema)]
pub struct StuckRow {
    #[schema(example = "inventory")]
    service: String,
    #[schema(example = "puptoo")]
    source: Option<String>,
    place: Place,
    /// How many.
    #[schema(example = 31)]
    payloads: i64,
    /// Those that are stuck the longest, up to 10.
    examples: Vec<StuckExample>,
}

/// Where they are.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// They were to enter the step.
    Before,
    /// They entered it, and it does not end.
    In,
}

/// A stuck payload.
#[derive(Debug, Serialize, ToSchema)]
pub struct StuckExample {
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    request_id: String,
    #[schema(example = "1979710")]
    org_id: Option<String>,
    /// Since when it is waited for.
    since: Instant,
    /// By when 95 % would have gone on.
    by: Instant,
    /// When it was last looked at: about each minute.
    looked_at: Instant,
}

impl From<StuckPayload> for StuckExample {
    fn from(payload: StuckPayload) -> Self {
        Self {
            request_id: payload.request_id,
            org_id: payload.org_id.filter(|org_id| !org_id.is_empty()),
            since: Instant(payload.since),
            by: Instant(payload.due_at),
            looked_at: Instant(payload.looked_at),
        }
    }
}

/// What is stuck
///
/// Payloads in the verdict `stuck` (see `/explain/{id}`), by the step they are stuck before, or in.
/// Each is looked at 2 minutes after it was first stored, about each minute as long as it is in progress, and
/// within 2 minutes of what is said of it later.
#[utoipa::path(
    get, path = "/stuck", tag = "payloads", operation_id = "getStuck",
    params(StuckQuery),
    responses(
        (status = 200, description = "The payloads", body = StuckPayloads),
        (status = 400, description = "A parameter is not what it has to be, or the list is too wide", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    Asked(StuckQuery { older_than }): Asked<StuckQuery>,
) -> Result<Json<StuckPayloads>, Problem> {
    let (stuck, capped) = app
        .reader
        .read(move |session| Box::pin(stuck::stuck(older_than, session)))
        .await
        .map_err(|error| error.of_list(NARROW))?;
    let mut ids = Ids::default();
    for summary in &stuck {
        ids.services.insert(summary.stop.step.service);
        ids.sources.extend(summary.stop.step.source);
    }
    let names = app.names.of(ids, &app.reader).await;
    let names = names.map_err(ReadError::problem)?;
    Ok(Json(StuckPayloads {
        data: stuck
            .into_iter()
            .map(|summary| row(summary, &names))
            .collect(),
        capped,
    }))
}

fn row(summary: Summary, names: &NamesById) -> StuckRow {
    let step = summary.stop.step;
    StuckRow {
        service: names.service(step.service).unwrap_or_default(),
        source: names.source(step.source),
        place: match summary.stop.is_before {
            true => Place::Before,
            false => Place::In,
        },
        payloads: summary.payloads,
        examples: summary
            .examples
            .into_iter()
            .map(StuckExample::from)
            .collect(),
    }
}
