//! What a listener wants to hear of.

use sea_orm::Select;

use super::Shared;
use super::batch::Event;
use super::query::LiveQuery;
use crate::api::reading::ReadError;
use crate::store::entity::payload_statuses;

pub enum Watch {
    /// All statuses, or those that a filter lets through.
    All(Box<LiveQuery>),
    /// Those of the payload with these ids.
    Payload(Vec<i64>),
}

impl Watch {
    pub fn admits(&self, event: &Event) -> bool {
        match self {
            Self::All(query) => query.admits(event),
            Self::Payload(ids) => ids.contains(&event.payload_id),
        }
    }

    /// The same as a query; `None`: nothing can match.
    pub async fn matching(
        &self,
        shared: &Shared,
    ) -> Result<Option<Select<payload_statuses::Entity>>, ReadError> {
        match self {
            Self::All(query) => query.matching(&shared.names, &shared.reader).await,
            Self::Payload(ids) => Ok(Some(payload_statuses::of_payloads(ids.iter().copied()))),
        }
    }
}
