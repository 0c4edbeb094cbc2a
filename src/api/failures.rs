//! `GET {mount}/failures`: what fails, by fingerprint.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::Serialize;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::params::{Asked, FromParams, Params, since_schema};
use super::problem::{Problem, ProblemBody};
use super::render::Instant;
use crate::explain::Fingerprint;
use crate::since;
use crate::store::learning::failures::{self, Failure};

/// What the list is narrowed by when it is too wide.
const NARROW: &str = "a later since";

const DEFAULT: TimeDelta = TimeDelta::hours(24);
/// Failures are counted for as long.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// Kinds of failures that are listed.
const MOST: i64 = 100;

/// From when on.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FailuresQuery {
    /// How long ago, such as `90m`, `24h` or `7d`, or RFC 3339; at most 7 days ago. Whole UTC minutes
    /// are counted, from the one that this lies in.
    #[param(schema_with = default_schema, required = false)]
    since: DateTime<Utc>,
}

fn default_schema() -> Schema {
    since_schema("24h")
}

impl FromParams for FailuresQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        let now = Utc::now();
        let read = |text: &str| {
            // An unescaped `+` of a zone arrives as a blank.
            since::since(&text.replace(' ', "+"), now)
                .or_else(|| since::since(text, now))
                .filter(|at| *at <= now && now.signed_duration_since(at) <= LONGEST)
        };
        let allowed = format!("{}, at most 7 days ago", since::FORMS);
        let since = params
            .read("since", read, &allowed)?
            .unwrap_or(now - DEFAULT);
        Ok(Self {
            since: since.duration_trunc(TimeDelta::minutes(1)).unwrap_or(since),
        })
    }
}

/// What failed, most payloads first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failures {
    /// The beginning of the first minute that is counted.
    since: Instant,
    /// The 100 kinds that most payloads failed with, ranked by payloads, then orgs, then last_seen.
    data: Vec<FailureRow>,
}

/// Failures of one service whose messages differ in nothing but ids, numbers, paths and quoted values.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureRow {
    #[schema(example = "puptoo")]
    service: String,
    /// The message with those replaced, up to 300 characters; `(other failures)` holds what a minute has
    /// beyond 500 kinds.
    #[schema(example = "cannot open <path>: no space left, <n> kB needed")]
    fingerprint: String,
    /// Of the whole fingerprint, as `/explain` names it.
    #[schema(example = "5f0c0b7d9a3e1c24")]
    fingerprint_id: String,
    /// Payloads that first failed so in this time. One that fails so again is not counted again, if it does
    /// within 24 hours.
    #[schema(example = 412)]
    payloads: i64,
    /// Orgs of these payloads (of each minute the first 1,000).
    #[schema(example = 37)]
    orgs: i64,
    /// The first failure in this time.
    first_seen: Instant,
    /// The last failure in this time.
    last_seen: Instant,
    /// Request ids of three of these payloads, the latest.
    #[schema(example = json!(["0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"]))]
    examples: Vec<String>,
}

impl From<Failure> for FailureRow {
    fn from(failure: Failure) -> Self {
        Self {
            service: failure.service,
            fingerprint: failure.text,
            fingerprint_id: Fingerprint::hex(failure.fingerprint),
            payloads: failure.payloads,
            orgs: failure.orgs,
            first_seen: Instant(failure.first_seen),
            last_seen: Instant(failure.last_seen),
            examples: failure.examples,
        }
    }
}

/// What fails
///
/// Failures by service and fingerprint, ranked by how many payloads and orgs they affect. Counted by the
/// date of the statuses, some seconds after they are stored.
#[utoipa::path(
    get, path = "/failures", tag = "payloads", operation_id = "getFailures",
    params(FailuresQuery),
    responses(
        (status = 200, description = "The failures", body = Failures),
        (status = 400, description = "A parameter is not what it has to be, or the time is too wide", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    Asked(FailuresQuery { since }): Asked<FailuresQuery>,
) -> Result<Json<Failures>, Problem> {
    let failures = app
        .reader
        .read(move |session| Box::pin(failures::failures(since, MOST, session)))
        .await
        .map_err(|error| error.of_list(NARROW))?;
    Ok(Json(Failures {
        since: Instant(since),
        data: failures.into_iter().map(FailureRow::from).collect(),
    }))
}
