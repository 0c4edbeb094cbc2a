//! The contract's section 1, sentence by sentence; over real producers' messages; over anything.

mod corpus;
mod dates;
mod invariants;
mod json;
mod properties;
mod rejects;
mod samples;
mod texts;

use chrono::{DateTime, Utc};

use super::{Message, Reason, Reject, Rules};

const ID: &str = "747c1300667b441e8e8f448337588ec0";

fn now() -> DateTime<Utc> {
    at("2026-08-21T12:00:00Z")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn decode(value: impl AsRef<[u8]>) -> Result<Message, Reject> {
    Message::decode(value.as_ref(), &Rules::default(), now())
}

/// A message that is good but for `fields`, JSON members that come last and thus win.
fn with(fields: &str) -> String {
    format!(
        r#"{{"service":"puptoo","request_id":"{ID}","status":"received","org_id":"1","date":"2026-08-21T09:00:00Z",{fields}}}"#
    )
}

fn accept(fields: &str) -> Message {
    decode(with(fields)).unwrap_or_else(|reject| panic!("{fields} is rejected: {reject:?}"))
}

fn refuse(fields: &str) -> Reject {
    match decode(with(fields)) {
        Ok(message) => panic!("{fields} is accepted: {message:?}"),
        Err(reject) => reject,
    }
}

fn reason(fields: &str) -> Reason {
    refuse(fields).reason
}
