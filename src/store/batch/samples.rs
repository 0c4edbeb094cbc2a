//! What tests fill batches with.

use chrono::DateTime;

use super::{Raw, Rejected, Stored};
use crate::status::{Message, Reason, Reject};

/// A good message of this payload.
pub fn message(request_id: &str) -> Message {
    Message {
        request_id: request_id.into(),
        service: "puptoo".into(),
        source: None,
        status: "received".into(),
        status_msg: None,
        account: None,
        org_id: None,
        inventory_id: None,
        system_id: None,
        date: DateTime::UNIX_EPOCH,
    }
}

/// A good message; its bytes are its offset.
pub fn stored(offset: i64) -> Stored {
    Stored {
        offset,
        raw: Raw {
            value: Some(offset.to_string().into_bytes()),
            ..Raw::default()
        },
        message: message("r"),
    }
}

/// One that decoding rejected.
pub fn rejected(offset: i64) -> Rejected {
    Rejected {
        offset,
        raw: Raw::default(),
        reject: Reject {
            reason: Reason::MissingField,
            detail: String::new(),
            service: Some("puptoo".into()),
            request_id: None,
        },
        sqlstate: None,
    }
}
