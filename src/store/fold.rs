//! A batch's messages folded into columns: one entry per payload, as one `INSERT .. ON CONFLICT`
//! may not meet a row twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

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
    fn at(date: DateTime<Utc>) -> Self {
        Self {
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

/// Folds messages by request id. Sorted, so that concurrent writers lock rows in the same order.
pub fn by_request_id<'a>(
    messages: impl Iterator<Item = &'a Message>,
) -> BTreeMap<&'a str, Payload<'a>> {
    let mut payloads = BTreeMap::new();
    for message in messages {
        payloads
            .entry(message.request_id.as_str())
            .or_insert_with(|| Payload::at(message.date))
            .add(message);
    }
    payloads
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn message(org_id: Option<&str>, host: Option<&str>, seconds: i64) -> Message {
        Message {
            request_id: "r".into(),
            service: "puptoo".into(),
            source: None,
            status: "received".into(),
            status_msg: None,
            account: None,
            org_id: org_id.map(Into::into),
            inventory_id: host.map(Into::into),
            system_id: None,
            date: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds),
        }
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
        let payload = &payloads["r"];
        assert_eq!(payload.org_id, Some("2"));
        assert_eq!(payload.inventory_id, Some("b"));
        assert_eq!(payload.first, messages[1].date);
        assert_eq!(payload.last, messages[2].date);
        let hosts: Vec<_> = payload.host_ids.iter().map(|(_, id)| *id).collect();
        assert_eq!(hosts, ["a", "b"]);
    }
}
