//! Whose payloads, or whose statuses.

use utoipa::IntoParams;

use super::{Filter, FromParams, Params};
use crate::api::problem::Problem;
use crate::store::entity::payload_ids::Kind;
use crate::store::entity::payloads;
use crate::store::entity::payloads::OfPayloads;

/// Filters on the payload; what narrows the payloads narrows their statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PayloadFilter {
    /// Dashed or not, with blanks around it or not.
    #[param(value_type = Option<String>)]
    request_id: Filter<Vec<String>>,
    /// Finds every payload that ever named this host, dashed or not.
    #[param(value_type = Option<String>)]
    inventory_id: Filter<Vec<String>>,
    /// Finds every payload that ever named this host, dashed or not.
    #[param(value_type = Option<String>)]
    system_id: Filter<Vec<String>>,
    #[param(value_type = Option<String>)]
    account: Filter<String>,
    #[param(value_type = Option<String>)]
    org_id: Filter<String>,
}

impl FromParams for PayloadFilter {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            request_id: params.request_id("request_id"),
            inventory_id: params.host_id("inventory_id"),
            system_id: params.host_id("system_id"),
            account: params.text("account"),
            org_id: params.text("org_id"),
        })
    }
}

/// What is known of a payload.
pub struct Known<'k> {
    pub payload: &'k payloads::Model,
    /// Every host it ever named.
    pub hosts: &'k [(Kind, String)],
}

impl PayloadFilter {
    /// The same as `narrow`, for a payload at hand.
    pub fn admits(&self, known: &Known<'_>) -> bool {
        let payload = known.payload;
        let names = |kind: Kind| {
            move |ids: &Vec<String>| {
                let hosts = known.hosts.iter();
                hosts
                    .filter(|(of, _)| *of == kind)
                    .any(|(_, host)| ids.contains(host))
            }
        };
        self.request_id
            .admits(|ids| ids.contains(&payload.request_id))
            && self.inventory_id.admits(names(Kind::Inventory))
            && self.system_id.admits(names(Kind::System))
            && self
                .account
                .admits(|account| payload.account.as_ref() == Some(account))
            && self
                .org_id
                .admits(|org_id| payload.org_id.as_ref() == Some(org_id))
    }

    /// Whether an id narrows it to a few payloads.
    pub fn is_by_id(&self) -> bool {
        [&self.request_id, &self.inventory_id, &self.system_id]
            .into_iter()
            .any(|ids| *ids != Filter::Any)
    }

    /// `None`: nothing can match.
    pub fn narrow<Q: OfPayloads>(self, all: Q) -> Option<Q> {
        let some = self.request_id.narrow(all, Q::requested_as)?;
        let some = self
            .inventory_id
            .narrow(some, |q, ids| q.naming(Kind::Inventory, ids))?;
        let some = self
            .system_id
            .narrow(some, |q, ids| q.naming(Kind::System, ids))?;
        let some = self
            .account
            .narrow(some, |q, account| q.of_account(&account))?;
        self.org_id.narrow(some, |q, org_id| q.of_org(&org_id))
    }
}
