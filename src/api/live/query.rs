//! Which statuses a stream of all of them is narrowed to.

use sea_orm::Select;
use utoipa::IntoParams;

use super::batch::Event;
use crate::api::names::Names;
use crate::api::params::{CreatedWithin, DatedWithin, Filter, FromParams, Params, PayloadFilter};
use crate::api::problem::Problem;
use crate::api::reading::{ReadError, Reader};
use crate::api::statuses::within;
use crate::store::entity::Span;
use crate::store::entity::payload_statuses::{self, StatusQuery};

/// What a list may be asked and a stream may not.
const OF_LISTS: [&str; 6] = [
    "page",
    "page_size",
    "cursor",
    "sort_by",
    "sort_dir",
    "format",
];

/// Which statuses.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
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
    #[param(ignore)]
    date: DatedWithin,
    #[param(ignore)]
    created_at: CreatedWithin,
}

impl FromParams for LiveQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        for name in OF_LISTS {
            params.read(
                name,
                |_| None::<()>,
                "for a stream, which tells of each status as it is committed: leave it out",
            )?;
        }
        Ok(Self {
            service: params.name("service"),
            source: params.name("source"),
            status: params.name("status"),
            status_msg: params.text("status_msg"),
            of: PayloadFilter::from_params(params)?,
            date: DatedWithin::from_params(params)?,
            created_at: CreatedWithin::from_params(params)?,
        })
    }
}

impl LiveQuery {
    /// Whether a status is asked for; the same as `matching`.
    pub fn admits(&self, event: &Event) -> bool {
        let status = &event.status;
        self.service.admits(|name| *name == status.service)
            && self.source.admits(|name| *name == status.source)
            && self.status.admits(|name| *name == status.status)
            && self.status_msg.admits(|text| *text == status.status_msg)
            && Span::from(self.date).holds(status.date.0)
            && Span::from(self.created_at).holds(status.created_at.0)
            && self.of.admits(&event.known())
    }

    /// `None`: nothing can match.
    ///
    /// # Errors
    /// The database fails on a name that is not known yet.
    pub async fn matching(
        &self,
        names: &Names,
        reader: &Reader,
    ) -> Result<Option<Select<payload_statuses::Entity>>, ReadError> {
        let service = names.services.ids(self.service.clone(), reader).await?;
        let source = names.sources.ids(self.source.clone(), reader).await?;
        let status = names.statuses.ids(self.status.clone(), reader).await?;
        let all = within(self.date.into(), self.created_at.into());
        let matching = || {
            let some = service.narrow(all, StatusQuery::of_service)?;
            let some = source.narrow(some, StatusQuery::of_source)?;
            let some = status.narrow(some, StatusQuery::of_status)?;
            let message = self.status_msg.clone();
            let some = message.narrow(some, |s, text| s.saying(&text))?;
            self.of.clone().narrow(some)
        };
        Ok(matching())
    }
}
