//! `GET {mount}/producers`: how well each service keeps the contract.

use std::collections::BTreeMap;
use std::time::Instant as Clock;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::params::{Asked, FromParams, Params, since_schema};
use super::problem::{Problem, ProblemBody};
use super::render::Instant;
use crate::since;
use crate::store::producers::{self, Producer, Report};

/// What the report is narrowed by when it is too wide.
const NARROW: &str = "a later since";

const DEFAULT: TimeDelta = TimeDelta::hours(24);
/// The numbers are kept for as long (and a report that begins exactly then may be asked for).
const LONGEST: TimeDelta = TimeDelta::days(30);

/// From when on.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProducersQuery {
    /// How long ago, such as `90m`, `24h` or `7d`, or RFC 3339; at most 30 days ago. Whole UTC hours
    /// are reported, from the one that this lies in.
    #[param(schema_with = default_schema, required = false)]
    since: DateTime<Utc>,
}

fn default_schema() -> Schema {
    since_schema("24h")
}

impl FromParams for ProducersQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        let now = Utc::now();
        let read = |text: &str| {
            // An unescaped `+` of a zone arrives as a blank.
            since::since(&text.replace(' ', "+"), now)
                .or_else(|| since::since(text, now))
                .filter(|at| *at <= now && now.signed_duration_since(at) <= LONGEST)
        };
        let allowed = format!("{}, at most 30 days ago", since::FORMS);
        let since = params.read("since", read, &allowed)?;
        Ok(Self {
            since: since.unwrap_or(now - DEFAULT),
        })
    }
}

/// How well each service keeps the contract.
///
/// Messages, rejects, missing_org_id and clock_skew are counted as messages come, in the hour of
/// Kafka's timestamp, so that a backlog that is read later changes nothing. began, never_ended,
/// duplicates and unknown_statuses are read from the stored statuses by their date, once an hour is
/// over for an hour; what comes later has its hour read again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Producers {
    /// What the answer took, seconds.
    #[schema(example = 0.0123)]
    elapsed: f64,
    /// The beginning of the first hour that is counted.
    since: Instant,
    /// The end of the last hour whose statuses were read for began, never_ended, duplicates and
    /// unknown_statuses; null while none was.
    judged_until: Option<Instant>,
    /// By name. `""` holds the rejects whose service could not be read.
    data: Vec<ProducerRow>,
}

/// What one service sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProducerRow {
    #[schema(example = "puptoo")]
    service: String,
    /// Messages: statuses and rejects.
    #[schema(example = 120_345)]
    messages: i64,
    /// Those rejected.
    #[schema(example = 12)]
    rejected: i64,
    /// Those rejected, by reason.
    #[schema(example = json!({ "missing_field": 10, "invalid_date": 2 }))]
    rejects: BTreeMap<String, i64>,
    /// Messages without an org_id, and rejects for want of it. (A reject names one defect only.)
    #[schema(example = 10)]
    missing_org_id: i64,
    /// Status names that table `status_classes` does not list, and how often each came: of each
    /// hour the 50 most frequent.
    #[schema(example = json!({ "this_status_is_new": 3 }))]
    unknown_statuses: BTreeMap<String, i64>,
    /// Payloads whose first status of this service lies in these hours, as far as the 24 hours before
    /// know.
    #[schema(example = 40_000)]
    began: i64,
    /// Of those begun, payloads without a status of class success or failure of this service, up to
    /// when the hour was read (and at most 24 hours later).
    #[schema(example = 100)]
    never_ended: i64,
    /// never_ended / began; null where nothing was begun.
    #[schema(example = 0.0025)]
    never_ended_share: Option<f64>,
    /// Statuses that repeat another one whole: payload, source, status, date and message. Of n equal
    /// ones n - 1 count.
    #[schema(example = 0)]
    duplicates: i64,
    /// Kafka's timestamp minus the message's date, over the statuses stored, in seconds; null without
    /// any.
    clock_skew: Option<ClockSkew>,
}

/// Seconds; negative where the service's clock is ahead. Read from a histogram whose buckets double
/// in width from 1 ms on: the sign is right, and the true value lies between half and twice of it,
/// or both are below 1 ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockSkew {
    #[schema(example = 0.012)]
    median: f64,
    #[schema(example = 0.75)]
    p99: f64,
}

impl ProducerRow {
    fn new(service: String, producer: Producer) -> Self {
        let skew = &producer.skew;
        Self {
            service,
            messages: producer.messages,
            rejected: producer.rejects.values().sum(),
            rejects: producer.rejects,
            missing_org_id: producer.missing_org_id,
            unknown_statuses: producer.unknown_statuses,
            began: producer.began,
            never_ended: producer.unended,
            never_ended_share: (producer.began > 0)
                .then(|| producer.unended as f64 / producer.began as f64),
            duplicates: producer.duplicates,
            clock_skew: skew
                .quantile(0.5)
                .zip(skew.quantile(0.99))
                .map(|(median, p99)| ClockSkew { median, p99 }),
        }
    }
}

/// Report on producers
///
/// For each service: what it sent, what of it was rejected, and where it strays from the contract.
#[utoipa::path(
    get, path = "/producers", tag = "rejects", operation_id = "getProducers",
    params(ProducersQuery),
    responses(
        (status = 200, description = "The report", body = Producers),
        (status = 400, description = "A parameter is not what it has to be, or the report is too wide", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    Asked(query): Asked<ProducersQuery>,
) -> Result<Json<Producers>, Problem> {
    let asked = Clock::now();
    let report = app
        .reader
        .read(move |session| Box::pin(producers::report(session, query.since)))
        .await
        .map_err(|error| error.of_list(NARROW))?;
    Ok(Json(answer(report, asked)))
}

fn answer(report: Report, asked: Clock) -> Producers {
    let rows = report.producers.into_iter();
    Producers {
        elapsed: asked.elapsed().as_secs_f64(),
        since: Instant(report.since),
        judged_until: report.judged_until.map(Instant),
        data: rows
            .map(|(service, producer)| ProducerRow::new(service, producer))
            .collect(),
    }
}
