//! The domain: what a status message is, and when it is rejected instead. Pure: no I/O.
//!
//! [`crate::status::Message::decode`] is the only gate. Behind it, in the order a value passes through:
//! `text` (bytes to characters), `json` (characters to named values), `ids` and `date`
//! (values to canonical form), `message` (the rules that hold it all together).

mod date;
mod field;
mod ids;
mod json;
mod message;
mod reject;
mod rules;
#[cfg(test)]
mod tests;
mod text;

pub use date::parse as parse_date;
pub use field::{Field, UnknownField};
pub use ids::{canonical_host_id, canonical_request_id};
pub use message::Message;
pub use reject::{Reason, Reject};
pub use rules::Rules;
