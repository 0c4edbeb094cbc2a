//! `GET {mount}/rejects`: which messages did not become statuses.

use std::time::Instant as Clock;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::list::{COUNTED_TO, List, page_of};
use super::params::{
    Asked, Choice, Filter, FromParams, Page, Params, ReceivedWithin, digits, whole_number,
};
use super::problem::{Problem, ProblemBody};
use super::render::Instant;
use crate::status::Reason;
use crate::store::entity::count_capped;
use crate::store::entity::rejects::{Summary, Wanted};

/// What the list is narrowed by when it is too wide.
const NARROW: &str = "a later received_at_gte";

/// Which rejects.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RejectsQuery {
    /// What could be read of it, in any case.
    #[param(value_type = Option<String>)]
    service: Filter<String>,
    /// Why they were rejected.
    #[param(schema_with = reason_schema)]
    reason: Option<Reason>,
    /// What could be read of it: dashed or not, with blanks around it or not.
    #[param(value_type = Option<String>)]
    request_id: Filter<Vec<String>>,
    /// The Kafka partition it came from.
    #[param(value_type = Option<i32>, minimum = 0, maximum = 2147483647)]
    partition: Option<i32>,
    /// Only those that were redriven with success (true), or only the others (false).
    #[param(value_type = Option<Redriven>, inline)]
    redriven: Option<Redriven>,
    #[param(ignore)]
    received_at: ReceivedWithin,
    #[param(ignore)]
    page: Page,
}

/// Whether a reject became a status after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Redriven {
    True,
    False,
}

impl Choice for Option<Redriven> {
    const ALLOWED: &'static [(&'static str, Self)] = &[
        ("true", Some(Redriven::True)),
        ("false", Some(Redriven::False)),
    ];
}

impl FromParams for RejectsQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            service: params.name("service"),
            reason: reason(params)?,
            request_id: params.request_id("request_id"),
            partition: partition(params)?,
            redriven: params.choice("redriven", None)?,
            received_at: ReceivedWithin::from_params(params)?,
            page: Page::from_params(params)?.or_narrower("received_at_lt")?,
        })
    }
}

fn reason(params: &Params) -> Result<Option<Reason>, Problem> {
    let known = |text: &str| Reason::ALL.into_iter().find(|r| r.as_str() == text);
    let words = Reason::ALL.map(Reason::as_str).join(", ");
    params.read("reason", known, &format!("one of {words}"))
}

/// One of the names of [`Reason`].
pub fn reason_schema() -> Schema {
    let words = Reason::ALL.map(Reason::as_str);
    let word = ObjectBuilder::new().schema_type(Type::String);
    Schema::Object(word.enum_values(Some(words)).build())
}

fn partition(params: &Params) -> Result<Option<i32>, Problem> {
    params.read("partition", digits, &whole_number(&(0..=i32::MAX)))
}

impl RejectsQuery {
    /// `None`: nothing can match.
    fn wanted(self) -> Option<Wanted> {
        let all = Wanted {
            reason: self.reason,
            partition: self.partition,
            redriven: self.redriven.map(|redriven| redriven == Redriven::True),
            received: self.received_at.into(),
            ..Wanted::default()
        };
        let some = self.service.narrow(all, |all, service| Wanted {
            service: Some(service),
            ..all
        })?;
        self.request_id.narrow(some, |some, ids| Wanted {
            request_ids: Some(ids),
            ..some
        })
    }
}

/// A message that did not become a status, without its bytes. Absent text is `""`.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectRow {
    #[schema(example = 17)]
    id: i64,
    #[schema(example = "platform.payload-status")]
    topic: String,
    #[schema(example = 3)]
    partition: i32,
    #[schema(example = 190_325)]
    offset: i64,
    #[schema(schema_with = reason_schema)]
    reason: String,
    /// Names the field, what was found and what is allowed.
    #[schema(example = "org_id is missing, null or empty, but it is required")]
    detail: String,
    /// With what code the database refused it, if it did.
    #[schema(example = "")]
    sqlstate: String,
    /// What could be read of it.
    #[schema(example = "inventory-mq-service")]
    service: String,
    /// What could be read of it, in canonical form.
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    request_id: String,
    /// Kafka's timestamp; null for what was rejected before that was kept.
    produced_at: Option<Instant>,
    /// When it was stored as a reject.
    received_at: Instant,
    /// When it became a status after all; null while it has not.
    redriven_at: Option<Instant>,
}

impl From<Summary> for RejectRow {
    fn from(row: Summary) -> Self {
        Self {
            id: row.id,
            topic: row.topic,
            partition: row.partition,
            offset: row.offset,
            reason: row.reason,
            detail: row.detail,
            sqlstate: row.sqlstate.unwrap_or_default(),
            service: row.service.unwrap_or_default(),
            request_id: row.request_id.unwrap_or_default(),
            produced_at: row.produced_at.map(Instant),
            received_at: Instant(row.received_at),
            redriven_at: row.redriven_at.map(Instant),
        }
    }
}

/// List rejects
///
/// Messages that did not become statuses, the newest first. Their bytes are in `/rejects/{id}`.
/// Rejects are kept for 30 days.
#[utoipa::path(
    get, path = "/rejects", tag = "rejects", operation_id = "listRejects",
    params(RejectsQuery, ReceivedWithin, Page),
    responses(
        (status = 200, description = "A page of rejects", body = List<RejectRow>),
        (status = 400, description = "A parameter is not what it has to be, or the list is too wide", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn list(
    State(app): State<App>,
    Asked(query): Asked<RejectsQuery>,
) -> Result<Json<List<RejectRow>>, Problem> {
    let asked = Clock::now();
    let page = query.page;
    let Some(wanted) = query.wanted() else {
        return Ok(Json(List::empty(asked)));
    };
    let newest = page_of(wanted.newest(page.end()), page);
    let all = wanted.all();
    let found = app.reader.read(move |session| {
        let (newest, all) = (newest.clone(), all.clone());
        Box::pin(async move {
            let rows = newest.into_partial_model::<Summary>().all(session).await?;
            Ok((rows, count_capped(all, COUNTED_TO, session).await?))
        })
    });
    let (rows, count) = found.await.map_err(|error| error.of_list(NARROW))?;
    let data = rows.into_iter().map(RejectRow::from).collect();
    Ok(Json(List::new(count, data, asked)))
}
