//! Which statuses a list has, in which order.

use chrono::TimeDelta;
use sea_orm::{EntityTrait, Order};
use utoipa::{IntoParams, ToSchema};

use super::search::{PageOf, Search, Statuses};
use crate::api::app::App;
use crate::api::csv::ListFormat;
use crate::api::list::page_and_next;
use crate::api::params::{
    Choice, CreatedWithin, DatedWithin, Filter, FromParams, ListId, Params, Part, PayloadFilter,
    SortDir,
};
use crate::api::problem::Problem;
use crate::api::reading::ReadError;
use crate::store::entity::payload_statuses::{self, StatusQuery};
use crate::store::entity::{Place, Span};

/// How far a status's date may lie after the moment it was stored: a date may be 24 h ahead when it
/// is read (contract, section 1), and an hour is left for clocks that disagree.
pub const DATE_AHEAD_OF_STORED: TimeDelta = TimeDelta::hours(25);

/// Which statuses, in which order.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatusesQuery {
    /// In any case.
    #[param(value_type = Option<String>)]
    service: Filter<String>,
    /// In any case.
    #[param(value_type = Option<String>)]
    source: Filter<String>,
    /// In any case.
    #[param(value_type = Option<String>)]
    status: Filter<String>,
    /// The whole message, as it was sent.
    #[param(value_type = Option<String>)]
    status_msg: Filter<String>,
    #[param(ignore)]
    of: PayloadFilter,
    /// Absent values come last, ties are broken by row id in the same direction.
    #[param(value_type = Option<StatusesSortBy>, inline)]
    sort_by: StatusesSortBy,
    #[param(value_type = Option<SortDir>, inline)]
    sort_dir: SortDir,
    #[param(ignore)]
    date: DatedWithin,
    #[param(ignore)]
    created_at: CreatedWithin,
    #[param(ignore)]
    pub part: Part,
    /// `csv` answers a header row and the rows of the page; their number is in `X-Count`, `next` in `X-Next`.
    #[param(value_type = Option<ListFormat>, inline)]
    pub format: ListFormat,
}

/// By what statuses are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", default = "date")]
pub enum StatusesSortBy {
    Service,
    Source,
    RequestId,
    Status,
    StatusMsg,
    #[default]
    Date,
    CreatedAt,
}

impl Choice for StatusesSortBy {
    const ALLOWED: &'static [(&'static str, Self)] = &[
        ("service", Self::Service),
        ("source", Self::Source),
        ("request_id", Self::RequestId),
        ("status", Self::Status),
        ("status_msg", Self::StatusMsg),
        ("date", Self::Date),
        ("created_at", Self::CreatedAt),
    ];
}

impl FromParams for StatusesQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        let mut query = Self {
            service: params.name("service"),
            source: params.name("source"),
            status: params.name("status"),
            status_msg: params.text("status_msg"),
            of: PayloadFilter::from_params(params)?,
            sort_by: params.choice("sort_by", StatusesSortBy::default())?,
            sort_dir: params.choice("sort_dir", SortDir::default())?,
            date: DatedWithin::from_params(params)?,
            created_at: CreatedWithin::from_params(params)?,
            part: Part::default(),
            format: ListFormat::default(),
        };
        let is_by_time = matches!(
            query.sort_by,
            StatusesSortBy::Date | StatusesSortBy::CreatedAt
        );
        let list = is_by_time.then(|| ListId::of("statuses", &query));
        query.part = Part::read(params, list, "date or created_at")?;
        // Not before: a cursor goes on in either form.
        query.format = params.choice("format", ListFormat::default())?;
        Ok(query)
    }
}

impl StatusesQuery {
    /// `None`: nothing can match. Names are ids by now, since the indexes know ids only.
    async fn said(&self, app: &App) -> Result<Option<Statuses>, ReadError> {
        let names = &app.names;
        let service = names.services.ids(self.service.clone(), &app.reader);
        let source = names.sources.ids(self.source.clone(), &app.reader);
        let status = names.statuses.ids(self.status.clone(), &app.reader);
        let (service, source, status) = (service.await?, source.await?, status.await?);
        let all = within(self.date.into(), self.created_at.into());
        let said = || {
            let some = service.narrow(all, StatusQuery::of_service)?;
            let some = source.narrow(some, StatusQuery::of_source)?;
            let some = status.narrow(some, StatusQuery::of_status)?;
            let message = self.status_msg.clone();
            message.narrow(some, |s, text| s.saying(&text))
        };
        Ok(said())
    }

    /// `None`: nothing can match.
    pub async fn search(
        &self,
        app: &App,
    ) -> Result<Option<Search<impl PageOf + use<>>>, ReadError> {
        let search = |said| Search {
            said,
            of: self.of.clone(),
            dates: dates(self.date.into(), self.created_at.into()),
            begins: self.begins(),
            page: self.paging(),
            latest_first: self.latest_first(),
        };
        Ok(self.said(app).await?.map(search))
    }

    /// Rows of a full page and the one after it, if the latest by date come first.
    fn latest_first(&self) -> Option<u64> {
        let is_by_date = self.sort_by == StatusesSortBy::Date;
        (is_by_date && self.sort_dir == SortDir::Desc).then_some(self.part.page.page_size + 1)
    }

    /// Where the page begins, unless at the first row of the list.
    fn begins(&self) -> Span {
        let place = self.part.after.filter(|_| self.latest_first().is_some());
        Span {
            lte: place.map(|place| place.at),
            ..Span::default()
        }
    }
}

impl StatusesQuery {
    /// Makes of what matches the page that is asked for, and the row after it.
    fn paging(&self) -> impl PageOf + use<> {
        let (by, order, part) = (self.sort_by, Order::from(self.sort_dir), self.part.clone());
        let is_of_each_status = by == StatusesSortBy::Date && self.is_about_a_service_alone();
        move |matching| {
            let rest = match &part.after {
                Some(place) if by == StatusesSortBy::CreatedAt => {
                    matching.stored_after(place, &order)
                }
                Some(place) => matching.dated_after(place, &order),
                None => matching,
            };
            let candidates = if is_of_each_status {
                rest.first_of_each_status(part.page.end() + 1, order.clone())
            } else {
                rest
            };
            page_and_next(sorted(candidates, by, order.clone()), part.page)
        }
    }

    /// Where a row stands in the list.
    pub fn placing(&self) -> impl Fn(&payload_statuses::Model) -> Place + use<> {
        let by = self.sort_by;
        move |row| Place {
            at: match by {
                StatusesSortBy::CreatedAt => row.created_at,
                _ => row.date,
            },
            id: row.id,
        }
    }

    /// Whether nothing but a service, and perhaps its dates, is asked for. The planner takes a
    /// service's statuses to be spread evenly over time, and would search for the last words of one
    /// that fell silent through everything that was said since.
    fn is_about_a_service_alone(&self) -> bool {
        matches!(self.service, Filter::One(_))
            && [&self.source, &self.status, &self.status_msg]
                .iter()
                .all(|f| **f == Filter::Any)
            && self.of == PayloadFilter::default()
            && self.created_at == CreatedWithin::default()
    }
}

/// Bounds on the time of storing also bound the date from above, which spares the partitions of
/// later days. From below they say nothing: what is stored now may have happened long ago.
fn dates(date: Span, stored: Span) -> Span {
    let latest = stored
        .end()
        .and_then(|end| end.checked_add_signed(DATE_AHEAD_OF_STORED));
    date.within(&Span {
        lt: latest,
        ..Span::default()
    })
}

/// All statuses within these bounds.
pub fn within(date: Span, stored: Span) -> Statuses {
    payload_statuses::Entity::find()
        .dated_within(&dates(date, stored))
        .stored_within(&stored)
}

fn sorted(statuses: Statuses, by: StatusesSortBy, order: Order) -> Statuses {
    match by {
        StatusesSortBy::Service => statuses.sorted_by_service(order),
        StatusesSortBy::Source => statuses.sorted_by_source(order),
        StatusesSortBy::RequestId => statuses.sorted_by_request(order),
        StatusesSortBy::Status => statuses.sorted_by_status(order),
        StatusesSortBy::StatusMsg => statuses.sorted_by_status_msg(order),
        StatusesSortBy::Date => statuses.sorted_by_date(order),
        StatusesSortBy::CreatedAt => statuses.sorted_by_stored(order),
    }
}
