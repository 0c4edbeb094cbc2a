//! `GET {mount}/statuses`: what was said about payloads.

mod query;
mod row;
mod search;

use std::time::Instant as Clock;

use axum::extract::State;
use axum::response::Response;

use super::app::App;
use super::list::{List, cut};
use super::params::{Asked, CreatedWithin, DatedWithin, Onward, Page, PayloadFilter};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use crate::store::entity::payload_statuses;
use query::StatusesQuery;
use search::Found;

pub use query::within;
pub use row::Status;

/// What the list is narrowed by when it is too wide.
const NARROW: &str = "a later date_gte";

/// List statuses
///
/// The newest first, unless asked otherwise. Statuses without a source are listed too.
#[utoipa::path(
    get, path = "/statuses", tag = "statuses", operation_id = "listStatuses",
    params(StatusesQuery, PayloadFilter, DatedWithin, CreatedWithin, Page, Onward),
    responses(
        (status = 200, description = "A page of statuses", content(
            (List<Status> = "application/json"),
            (String = "text/csv", example = "request_id,status,id,service,source,status_msg,date,created_at\r\n"),
        )),
        (status = 400, description = "A parameter is not what it has to be, or the list is too wide", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn list(
    State(app): State<App>,
    Asked(query): Asked<StatusesQuery>,
) -> Result<Response, Problem> {
    let format = query.format;
    answer(&app, query)
        .await
        .map_err(|error| error.of_list(NARROW))?
        .answer(format)
}

async fn answer(app: &App, query: StatusesQuery) -> Result<List<Status>, ReadError> {
    let asked = Clock::now();
    let Some(search) = query.search(app).await? else {
        return Ok(List::empty(asked));
    };
    let mut found = search.run(app).await?;
    let last = cut(&mut found.rows, query.part.page);
    let next = query.part.next(last.map(query.placing()));
    let count = found.count;
    Ok(List::new(count, named(found, app).await?, asked).reading_on_at(next))
}

async fn named(found: Found, app: &App) -> Result<Vec<Status>, ReadError> {
    let names = app.names.of(found.rows.iter().collect(), &app.reader);
    let names = names.await?;
    let row = |row: payload_statuses::Model| {
        let request_id = found.request_ids.get(&row.payload_id).cloned();
        Status::of(row, request_id.unwrap_or_default(), &names)
    };
    Ok(found.rows.into_iter().map(row).collect())
}
