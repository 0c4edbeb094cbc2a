//! `GET {mount}/stats`: how the services do.

use std::time::Instant as Clock;

use axum::Json;
use axum::extract::State;
use chrono::{TimeDelta, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::params::{Asked, Choice, FromParams, Params};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use super::render::Instant;
use crate::store::outcomes::{Outcomes, outcomes};

const WINDOW: TimeDelta = TimeDelta::hours(24);

/// Which statistic.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    #[param(value_type = Option<Stat>, inline)]
    stat: Stat,
}

/// A statistic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(default = "SuccessRate")]
pub enum Stat {
    /// Which share of the outcomes of each service were successes.
    #[default]
    SuccessRate,
}

impl Choice for Stat {
    const ALLOWED: &'static [(&'static str, Self)] = &[("SuccessRate", Self::SuccessRate)];
}

impl FromParams for StatsQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            stat: params.choice("stat", Stat::default())?,
        })
    }
}

/// The success rates of the last 24 hours.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuccessRates {
    /// What the answer took, seconds.
    #[schema(example = 0.0123)]
    elapsed: f64,
    /// Statuses dated after this are counted.
    since: Instant,
    /// And not after this, the moment of asking.
    until: Instant,
    /// By name. Services without any outcome are left out.
    data: Vec<SuccessRate>,
}

/// The outcomes of one service. Table `status_classes` says which names mean one.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuccessRate {
    #[schema(example = "puptoo")]
    service: String,
    /// Its statuses of class success.
    #[schema(example = 990)]
    successes: i64,
    /// Its statuses of class failure.
    #[schema(example = 10)]
    failures: i64,
    /// successes / (successes + failures), from 0 to 1.
    #[schema(example = 0.99, minimum = 0, maximum = 1)]
    rate: f64,
}

impl From<Outcomes> for SuccessRate {
    fn from(of: Outcomes) -> Self {
        let all = of.successes + of.failures;
        Self {
            service: of.service,
            successes: of.successes,
            failures: of.failures,
            rate: of.successes as f64 / all as f64,
        }
    }
}

/// See how the services do
///
/// How many statuses of each service were a success and how many a failure, over the last 24 hours.
#[utoipa::path(
    get, path = "/stats", tag = "statuses", operation_id = "getStats",
    params(StatsQuery),
    responses(
        (status = 200, description = "The statistic", body = SuccessRates),
        (status = 400, description = "There is no such statistic", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    Asked(query): Asked<StatsQuery>,
) -> Result<Json<SuccessRates>, Problem> {
    match query.stat {
        Stat::SuccessRate => success_rates(&app).await.map(Json),
    }
}

async fn success_rates(app: &App) -> Result<SuccessRates, Problem> {
    let (asked, until) = (Clock::now(), Utc::now());
    let since = until - WINDOW;
    let rows = app
        .reader
        .read(move |session| Box::pin(outcomes(session, since, until)))
        .await
        .map_err(ReadError::problem)?;
    Ok(SuccessRates {
        elapsed: asked.elapsed().as_secs_f64(),
        since: Instant(since),
        until: Instant(until),
        data: rows.into_iter().map(SuccessRate::from).collect(),
    })
}
