//! `GET {mount}/payloads`: which payloads there are.

use std::borrow::Cow;
use std::time::Instant as Clock;

use axum::extract::State;
use axum::response::Response;
use futures_util::future::BoxFuture;
use sea_orm::{DbErr, EntityTrait, Order, Select};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::csv::{CsvRow, ListFormat};
use super::list::{COUNTED_TO, List, cut, page_and_next};
use super::params::{
    Asked, Choice, CreatedWithin, FromParams, ListId, Onward, Page, Params, Part, PayloadFilter,
    SortDir,
};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use super::render::Instant;
use crate::store::entity::payloads::{self, Column, PayloadQuery};
use crate::store::entity::{Capped, Place, count_capped};
use crate::store::lent::Transaction;

/// What the list is narrowed by when it is too wide.
const NARROW: &str = "a later created_at_gte";

/// Which payloads, in which order.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PayloadsQuery {
    #[param(ignore)]
    of: PayloadFilter,
    /// Absent values come last, ties are broken by row id in the same direction.
    #[param(value_type = Option<PayloadsSortBy>, inline)]
    sort_by: PayloadsSortBy,
    #[param(value_type = Option<SortDir>, inline)]
    sort_dir: SortDir,
    #[param(ignore)]
    created_at: CreatedWithin,
    #[param(ignore)]
    part: Part,
    /// `csv` answers a header row and the rows of the page; their number is in `X-Count`, `next` in `X-Next`.
    #[param(value_type = Option<ListFormat>, inline)]
    format: ListFormat,
}

/// By what payloads are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", default = "created_at")]
pub enum PayloadsSortBy {
    RequestId,
    Account,
    OrgId,
    InventoryId,
    SystemId,
    #[default]
    CreatedAt,
}

impl Choice for PayloadsSortBy {
    const ALLOWED: &'static [(&'static str, Self)] = &[
        ("request_id", Self::RequestId),
        ("account", Self::Account),
        ("org_id", Self::OrgId),
        ("inventory_id", Self::InventoryId),
        ("system_id", Self::SystemId),
        ("created_at", Self::CreatedAt),
    ];
}

impl From<PayloadsSortBy> for Column {
    fn from(sort_by: PayloadsSortBy) -> Self {
        match sort_by {
            PayloadsSortBy::RequestId => Self::RequestId,
            PayloadsSortBy::Account => Self::Account,
            PayloadsSortBy::OrgId => Self::OrgId,
            PayloadsSortBy::InventoryId => Self::InventoryId,
            PayloadsSortBy::SystemId => Self::SystemId,
            PayloadsSortBy::CreatedAt => Self::CreatedAt,
        }
    }
}

impl FromParams for PayloadsQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        let mut query = Self {
            of: PayloadFilter::from_params(params)?,
            sort_by: params.choice("sort_by", PayloadsSortBy::default())?,
            sort_dir: params.choice("sort_dir", SortDir::default())?,
            created_at: CreatedWithin::from_params(params)?,
            part: Part::default(),
            format: ListFormat::default(),
        };
        let is_by_time = query.sort_by == PayloadsSortBy::CreatedAt;
        let list = is_by_time.then(|| ListId::of("payloads", &query));
        query.part = Part::read(params, list, "created_at")?;
        // Not before: a cursor goes on in either form.
        query.format = params.choice("format", ListFormat::default())?;
        Ok(query)
    }
}

type Payloads = Select<payloads::Entity>;

impl PayloadsQuery {
    /// `None`: nothing can match.
    fn matching(self) -> Option<Payloads> {
        let created = self.created_at.into();
        self.of
            .narrow(payloads::Entity::find().created_within(&created))
    }
}

/// A payload: one upload under one request id. Absent text is `""`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payload {
    #[schema(example = 4711)]
    id: i64,
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    request_id: String,
    #[schema(example = "540155")]
    account: String,
    /// The last one named; a filter finds the others too.
    #[schema(example = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a")]
    inventory_id: String,
    /// The last one named; a filter finds the others too.
    #[schema(example = "")]
    system_id: String,
    /// The earliest date of its statuses.
    created_at: Instant,
    #[schema(example = "1979710")]
    org_id: String,
}

impl From<payloads::Model> for Payload {
    fn from(row: payloads::Model) -> Self {
        Self {
            id: row.id,
            request_id: row.request_id,
            account: row.account.unwrap_or_default(),
            inventory_id: row.inventory_id.unwrap_or_default(),
            system_id: row.system_id.unwrap_or_default(),
            created_at: Instant(row.created_at),
            org_id: row.org_id.unwrap_or_default(),
        }
    }
}

impl CsvRow for Payload {
    const NAME: &'static str = "payloads";
    const HEADER: &'static [&'static str] = &[
        "id",
        "request_id",
        "account",
        "inventory_id",
        "system_id",
        "created_at",
        "org_id",
    ];

    fn fields(&self) -> Vec<Cow<'_, str>> {
        vec![
            self.id.to_string().into(),
            self.request_id.as_str().into(),
            self.account.as_str().into(),
            self.inventory_id.as_str().into(),
            self.system_id.as_str().into(),
            self.created_at.to_string().into(),
            self.org_id.as_str().into(),
        ]
    }
}

/// List payloads
///
/// The newest first, unless asked otherwise.
#[utoipa::path(
    get, path = "/payloads", tag = "payloads", operation_id = "listPayloads",
    params(PayloadsQuery, PayloadFilter, CreatedWithin, Page, Onward),
    responses(
        (status = 200, description = "A page of payloads", content(
            (List<Payload> = "application/json"),
            (String = "text/csv", example = "id,request_id,account,inventory_id,system_id,created_at,org_id\r\n"),
        )),
        (status = 400, description = "A parameter is not what it has to be, or the list is too wide", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn list(
    State(app): State<App>,
    Asked(query): Asked<PayloadsQuery>,
) -> Result<Response, Problem> {
    let format = query.format;
    answer(&app, query).await?.answer(format)
}

async fn answer(app: &App, query: PayloadsQuery) -> Result<List<Payload>, Problem> {
    let asked = Clock::now();
    let (sort_by, order) = (query.sort_by, Order::from(query.sort_dir));
    let (part, is_by_id) = (query.part.clone(), query.of.is_by_id());
    let Some(matching) = query.matching() else {
        return Ok(List::empty(asked));
    };
    let rest = match &part.after {
        Some(place) => matching.clone().created_after(place, &order),
        None => matching.clone(),
    };
    let rows = page_and_next(rest.sorted_by(sort_by.into(), order), part.page);
    let found = find(rows, matching, is_by_id, app).await;
    let (mut rows, count) = found.map_err(|error| error.of_list(NARROW))?;
    let last = cut(&mut rows, part.page).map(|row| Place {
        at: row.created_at,
        id: row.id,
    });
    let data = rows.into_iter().map(Payload::from).collect();
    Ok(List::new(count, data, asked).reading_on_at(part.next(last)))
}

type Found = (Vec<payloads::Model>, Capped);

async fn find(
    page: Payloads,
    matching: Payloads,
    is_by_id: bool,
    app: &App,
) -> Result<Found, ReadError> {
    let known = app.counts.known(&matching);
    let counted = matching.clone();
    let found = if is_by_id {
        app.reader
            .look_up(move |session| found(page.clone(), counted.clone(), known, session))
            .await?
    } else {
        app.reader
            .read(move |session| found(page.clone(), counted.clone(), known, session))
            .await?
    };
    if known.is_none() {
        app.counts.learn(&matching, found.1);
    }
    Ok(found)
}

fn found(
    page: Payloads,
    matching: Payloads,
    known: Option<Capped>,
    session: &Transaction,
) -> BoxFuture<'_, Result<Found, DbErr>> {
    Box::pin(async move {
        let rows = page.all(session).await?;
        let count = match known {
            Some(count) => count,
            None => count_capped(matching, COUNTED_TO, session).await?,
        };
        Ok((rows, count))
    })
}
