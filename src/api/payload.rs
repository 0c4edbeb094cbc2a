//! `GET {mount}/payloads/{request_id}`: everything that was said about one payload.

mod row;
mod sort;

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use sea_orm::{DbErr, EntityTrait};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::duration::{Duration, Stay};
use super::names::{Ids, NamesById};
use super::params::{Asked, FromParams, Params, PathId, SortDir, request_ids};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use crate::store::entity::Span;
use crate::store::entity::payload_statuses::{self, StatusQuery, Visit};
use crate::store::entity::payloads::{self, OfPayloads};
use crate::store::lent::Transaction;

use row::Verbosity;
pub use row::{Named, StatusRow};
use sort::{PayloadSortBy, sort};

/// How many statuses one answer holds.
const MOST_STATUSES: u64 = 10_000;

/// How the statuses of a payload are answered.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PayloadQuery {
    /// The payload's own fields are constant here: sorting by them sorts by row id.
    #[param(value_type = Option<PayloadSortBy>, inline)]
    sort_by: PayloadSortBy,
    #[param(value_type = Option<SortDir>, inline)]
    sort_dir: SortDir,
    /// 0: all fields; 1: service, status, inventory_id, date, status_msg; 2: service, status, date.
    #[param(value_type = Option<u8>, default = 0, minimum = 0, maximum = 2)]
    verbosity: Verbosity,
}

impl FromParams for PayloadQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            sort_by: params.choice("sort_by", PayloadSortBy::default())?,
            sort_dir: params.choice("sort_dir", SortDir::default())?,
            verbosity: params.choice("verbosity", Verbosity::default())?,
        })
    }
}

/// The statuses of a payload, and how long it spent where.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayloadStatuses {
    data: Vec<StatusRow>,
    /// `service:source` to the time from its first to its last status, in the order of the first
    /// dates, then by name; `total_time_in_services`, their sum; and `total_time`, from the first status
    /// of all to the last. `HH:MM:SS.ffffff`; hours may pass 24.
    #[schema(
        value_type = HashMap<String, String>,
        example = json!({
            "ingress:undefined": "00:00:00.000000",
            "puptoo:inventory": "00:00:01.250000",
            "total_time_in_services": "00:00:01.250000",
            "total_time": "00:00:03.500000",
        })
    )]
    duration: Duration,
    /// There are more than 10,000 statuses, of which `data` has the newest; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    truncated: bool,
}

/// Follow a payload
///
/// All its statuses, the latest first unless asked otherwise.
#[utoipa::path(
    get, path = "/payloads/{request_id}", tag = "payloads", operation_id = "getPayload",
    params(
        ("request_id" = String, Path, description = "Dashed or not, with blanks around it or not", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
        PayloadQuery,
    ),
    responses(
        (status = 200, description = "The statuses of the payload", body = PayloadStatuses),
        (status = 400, description = "A parameter is not what it has to be", body = ProblemBody),
        (status = 404, description = "No payload has this request id", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    PathId(given): PathId,
    Asked(query): Asked<PayloadQuery>,
) -> Result<Json<PayloadStatuses>, Problem> {
    Ok(Json(lookup(&app, given).await?.answer(query)))
}

/// Everything that was said about the payload with this id, in no order.
///
/// # Errors
/// There is none, or the database does not answer.
pub async fn lookup(app: &App, given: String) -> Result<Traced, Problem> {
    let Some(forms) = request_ids(&given) else {
        app.metrics.invalid_request_ids.inc();
        return Err(Problem::PayloadNotFound(given));
    };
    let found = find(app, forms).await.map_err(ReadError::problem)?;
    let found = found.ok_or(Problem::PayloadNotFound(given))?;
    found.named(app).await.map_err(ReadError::problem)
}

/// A payload as it is stored.
struct Found {
    /// Usually one; the Go tracker kept the forms of one id apart.
    payloads: Vec<payloads::Model>,
    statuses: Vec<payload_statuses::Model>,
    /// Where the statuses are not all there is.
    visits: Option<Vec<Visit>>,
}

async fn find(app: &App, forms: Vec<String>) -> Result<Option<Found>, ReadError> {
    app.reader
        .look_up(move |session| Box::pin(find_on(forms.clone(), session)))
        .await
}

async fn find_on(forms: Vec<String>, session: &Transaction) -> Result<Option<Found>, DbErr> {
    let payloads = payloads::Entity::find()
        .requested_as(forms)
        .all(session)
        .await?;
    if payloads.is_empty() {
        return Ok(None);
    }
    let of_payloads = payload_statuses::of_payloads(payloads.iter().map(|payload| payload.id))
        .dated_within(&days_of(&payloads));
    let mut statuses = of_payloads
        .clone()
        .set_apart()
        .newest(MOST_STATUSES + 1)
        .shortened()
        .all(session)
        .await?;
    let mut visits = None;
    if statuses.len() as u64 > MOST_STATUSES {
        statuses.truncate(MOST_STATUSES as usize);
        visits = Some(of_payloads.visits().all(session).await?);
    }
    Ok(Some(Found {
        payloads,
        statuses,
        visits,
    }))
}

/// The days that hold the payloads' statuses: spares the partitions of all others.
pub fn days_of<'p>(payloads: impl IntoIterator<Item = &'p payloads::Model>) -> Span {
    let days = payloads
        .into_iter()
        .map(|payload| payload.first_day.zip(payload.last_day));
    let Some(days) = days.collect::<Option<Vec<_>>>() else {
        return Span::default();
    };
    let first = days.iter().map(|(first, _)| *first).min();
    let after = days.iter().filter_map(|(_, last)| last.succ_opt()).max();
    Span::of_days(first, after)
}

impl Found {
    async fn named(self, app: &App) -> Result<Traced, ReadError> {
        let mut ids: Ids = self.statuses.iter().collect();
        for visit in self.visits.iter().flatten() {
            ids.services.insert(visit.service_id);
            ids.sources.extend(visit.source_id);
        }
        let names = app.names.of(ids, &app.reader).await?;
        let stay = |visit: Visit| Stay {
            service: names.service(visit.service_id).unwrap_or_default(),
            source: names.source(visit.source_id),
            first: visit.first,
            last: visit.last,
        };
        let duration = match &self.visits {
            Some(visits) => Duration::of(visits.iter().copied().map(stay)),
            None => Duration::of(self.statuses.iter().map(Visit::from).map(stay)),
        };
        Ok(Traced {
            duration,
            truncated: self.visits.is_some(),
            rows: rows(self.payloads, self.statuses, &names),
        })
    }
}

fn rows(
    payloads: Vec<payloads::Model>,
    statuses: Vec<payload_statuses::Model>,
    names: &NamesById,
) -> Vec<Named> {
    let payloads: HashMap<i64, payloads::Model> = payloads
        .into_iter()
        .map(|payload| (payload.id, payload))
        .collect();
    let row = |status: payload_statuses::Model| {
        Some(Named {
            row: status.id,
            service: names.service(status.service_id),
            source: names.source(status.source_id),
            status: names.status(status.status_id),
            status_msg: status.status_msg.filter(|text| !text.is_empty()),
            date: status.date,
            created_at: status.created_at,
            payload: payloads.get(&status.payload_id)?.clone(),
        })
    };
    statuses.into_iter().filter_map(row).collect()
}

/// A payload with its names.
pub struct Traced {
    pub rows: Vec<Named>,
    duration: Duration,
    /// There are more statuses than these.
    pub truncated: bool,
}

impl Traced {
    fn answer(mut self, query: PayloadQuery) -> PayloadStatuses {
        sort(&mut self.rows, query.sort_by, query.sort_dir);
        PayloadStatuses {
            data: self
                .rows
                .into_iter()
                .map(|row| row.shown(query.verbosity))
                .collect(),
            duration: self.duration,
            truncated: self.truncated,
        }
    }
}
