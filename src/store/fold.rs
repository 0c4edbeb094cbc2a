//! A batch's messages folded into columns: one entry per payload, as one `INSERT .. ON CONFLICT`
//! may not meet a row twice.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::parity::Parity;
use crate::status::Message;

/// Which kind of host id a row of `payload_ids` holds (`payload_ids.kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostIdKind {
    Inventory = 1,
    System = 2,
}

/// What a batch says about one payload.
#[derive(Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    pub request_id: &'a str,
    pub account: Option<&'a str>,
    pub org_id: Option<&'a str>,
    pub inventory_id: Option<&'a str>,
    pub system_id: Option<&'a str>,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    /// Every host id the batch names for it, not only the last.
    pub host_ids: BTreeSet<(HostIdKind, &'a str)>,
}

impl<'a> Payload<'a> {
    fn of(message: &'a Message) -> Self {
        let date = message.date;
        Self {
            request_id: &message.request_id,
            account: None,
            org_id: None,
            inventory_id: None,
            system_id: None,
            first: date,
            last: date,
            host_ids: BTreeSet::new(),
        }
    }

    /// A value that is there replaces an earlier one; an absent one replaces nothing.
    fn add(&mut self, message: &'a Message) {
        self.first = self.first.min(message.date);
        self.last = self.last.max(message.date);
        self.account = message.account.as_deref().or(self.account);
        self.org_id = message.org_id.as_deref().or(self.org_id);
        if let Some(id) = message.inventory_id.as_deref() {
            self.inventory_id = Some(id);
            self.host_ids.insert((HostIdKind::Inventory, id));
        }
        if let Some(id) = message.system_id.as_deref() {
            self.system_id = Some(id);
            self.host_ids.insert((HostIdKind::System, id));
        }
    }
}

/// Folds messages by request id. In one order for all writers, or those that share payloads could wait
/// for each other in a circle: the even ones first. A session that waits for an odd one then holds all
/// it needs of the even ones, and stands in the way of no even half whose odd half it waits for.
pub fn by_request_id<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Payload<'a>> {
    let mut payloads = HashMap::new();
    for message in messages {
        payloads
            .entry(message.request_id.as_str())
            .or_insert_with(|| Payload::of(message))
            .add(message);
    }
    let mut payloads: Vec<Payload<'a>> = payloads.into_values().collect();
    payloads.sort_by_cached_key(|payload| (Parity::of(payload.request_id), payload.request_id));
    payloads
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::batch::samples;

    fn message(org_id: Option<&str>, host: Option<&str>, seconds: i64) -> Message {
        Message {
            org_id: org_id.map(Into::into),
            inventory_id: host.map(Into::into),
            date: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds),
            ..samples::message("r")
        }
    }

    #[test]
    fn even_request_ids_come_first() {
        let messages = ["1", "4", "3", "2", "1"].map(|id| Message {
            request_id: id.into(),
            ..message(None, None, 0)
        });
        let payloads = by_request_id(messages.iter());
        let ids: Vec<_> = payloads.iter().map(|payload| payload.request_id).collect();
        assert_eq!(ids, ["2", "4", "1", "3"]);
    }

    #[test]
    fn keeps_the_last_value_that_is_there_and_every_host() {
        let messages = [
            message(Some("1"), Some("a"), 5),
            message(None, Some("b"), 3),
            message(Some("2"), None, 9),
            message(None, None, 7),
        ];
        let payloads = by_request_id(messages.iter());
        let payload = &payloads[0];
        assert_eq!(payload.org_id, Some("2"));
        assert_eq!(payload.inventory_id, Some("b"));
        assert_eq!(payload.first, messages[1].date);
        assert_eq!(payload.last, messages[2].date);
        let hosts: Vec<_> = payload.host_ids.iter().map(|(_, id)| *id).collect();
        assert_eq!(hosts, ["a", "b"]);
    }
}
