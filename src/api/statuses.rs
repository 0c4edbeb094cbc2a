//! `GET {mount}/statuses`: what was said about payloads.

mod query;
mod row;

use std::collections::HashMap;
use std::time::Instant as Clock;

use axum::extract::State;
use axum::response::Response;
use sea_orm::{DatabaseTransaction, DbErr};

use super::app::App;
use super::list::{List, count_of, cut};
use super::params::{Asked, CreatedWithin, DatedWithin, Onward, Page, PayloadFilter};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use crate::store::entity::{payload_statuses, payloads};
use query::{Statuses, StatusesQuery};

pub use query::within;
pub use row::Status;

/// What the list is narrowed by when it is too wide.
const NARROW: &str = "a later date_gte";

/// Rows of a page, and the request ids of their payloads.
type Rows = (Vec<payload_statuses::Model>, HashMap<i64, String>);

async fn rows_of(page: Statuses, session: &DatabaseTransaction) -> Result<Rows, DbErr> {
    let rows = page.all(session).await?;
    let ids = rows.iter().map(|row| row.payload_id);
    let request_ids = payloads::request_ids(ids, session).await?;
    Ok((rows, request_ids))
}

async fn named((rows, request_ids): Rows, app: &App) -> Result<Vec<Status>, ReadError> {
    let names = app.names.of(rows.iter().collect(), &app.reader).await?;
    let row = |row: payload_statuses::Model| {
        let request_id = request_ids.get(&row.payload_id).cloned();
        Status::of(row, request_id.unwrap_or_default(), &names)
    };
    Ok(rows.into_iter().map(row).collect())
}

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
    let (page_of, place_of, part) = (query.paging(), query.placing(), query.part.clone());
    let Some(matching) = query.matching(app).await? else {
        return Ok(List::empty(asked));
    };
    let page = page_of(matching.clone());
    let rows = app
        .reader
        .read(move |session| Box::pin(rows_of(page.clone(), session)));
    let (mut rows, count) = tokio::try_join!(rows, count_of(matching, &app.reader))?;
    let next = part.next(cut(&mut rows.0, part.page).map(place_of));
    Ok(List::new(count, named(rows, app).await?, asked).reading_on_at(next))
}
