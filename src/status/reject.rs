use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Field;
use super::text::{MAX_CHARS, excerpt, shortened};

/// Why a message was not stored as a status (contract, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Not one JSON object.
    Malformed,
    /// A required field is absent.
    MissingField,
    /// `true`, `false`, an array or an object where text belongs.
    WrongType,
    /// A text of more than 255 characters.
    TooLong,
    /// A canonical request id of another length than the deployment's.
    InvalidRequestId,
    /// No instant.
    InvalidDate,
    /// Before the retention, or more than 24 hours ahead.
    DateOutOfRange,
    /// A service, source or status beyond the number of different ones that are allowed.
    TooManyNames,
    /// The database takes every other row, but not this one.
    RefusedByDatabase,
}

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::MissingField,
        Self::WrongType,
        Self::TooLong,
        Self::InvalidRequestId,
        Self::InvalidDate,
        Self::DateOutOfRange,
        Self::TooManyNames,
        Self::RefusedByDatabase,
    ];

    /// The name stored in `rejects.reason` and used as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::TooLong => "too_long",
            Self::InvalidRequestId => "invalid_request_id",
            Self::InvalidDate => "invalid_date",
            Self::DateOutOfRange => "date_out_of_range",
            Self::TooManyNames => "too_many_names",
            Self::RefusedByDatabase => "refused_by_database",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that is not a status, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub reason: Reason,
    /// One sentence that names the field, what was found and what is allowed.
    pub detail: String,
    /// What could be read of the service, for counting: trimmed, lower-cased, at most 255 characters.
    pub service: Option<String>,
    /// What could be read of the request id, for finding it again: canonical, at most 255 characters.
    pub request_id: Option<String>,
}

/// A reason and its sentence, before it is known whose message it was.
#[derive(Debug)]
pub(super) struct Defect {
    pub reason: Reason,
    pub detail: String,
}

impl Defect {
    fn new(reason: Reason, detail: String) -> Self {
        Self { reason, detail }
    }

    pub fn empty() -> Self {
        let detail = "the value is empty; a status is one JSON object".to_owned();
        Self::new(Reason::Malformed, detail)
    }

    pub fn not_an_object(json: &str) -> Self {
        let found = excerpt(json);
        let detail = format!("the value starts with {found}; a status is one JSON object");
        Self::new(Reason::Malformed, detail)
    }

    pub fn broken(error: &serde_json::Error) -> Self {
        let detail = format!("the value is not valid JSON ({error}); a status is one JSON object");
        Self::new(Reason::Malformed, detail)
    }

    pub fn missing(field: Field) -> Self {
        let empty = match field {
            Field::Service | Field::Status | Field::Source => "null or blank",
            Field::InventoryId | Field::SystemId => "null, empty or the nil UUID",
            _ => "null or empty",
        };
        let detail = format!("{field} is missing, {empty}, but it is required");
        Self::new(Reason::MissingField, detail)
    }

    pub fn wrong_type(field: Field, json: &str) -> Self {
        let found = shortened(json);
        let detail = format!("{field} is {found}; allowed are a string, a number and null");
        Self::new(Reason::WrongType, detail)
    }

    pub fn too_long(field: Field, text: &str, chars: usize) -> Self {
        let found = excerpt(text);
        let detail =
            format!("{field} is {found} with {chars} characters; allowed are at most {MAX_CHARS}");
        Self::new(Reason::TooLong, detail)
    }

    pub fn request_id_length(id: &str, allowed: usize) -> Self {
        let (found, chars) = (excerpt(id), id.chars().count());
        let detail = format!(
            "request_id is {found} with {chars} characters; allowed are exactly {allowed}; a UUID counts as its 32 hex digits"
        );
        Self::new(Reason::InvalidRequestId, detail)
    }

    /// `found` is JSON.
    pub fn invalid_date(found: &str) -> Self {
        let detail = format!(
            "date is {found}; allowed is RFC 3339, such as \"2026-08-21T09:14:08.219543Z\", without a zone UTC"
        );
        Self::new(Reason::InvalidDate, detail)
    }

    pub fn date_out_of_range(date: DateTime<Utc>, now: DateTime<Utc>, days: u32) -> Self {
        let [date, now] = [date, now].map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        let detail = format!(
            "date is {date}; allowed are the UTC days from {days} before today to 24 hours after now, which was {now}"
        );
        Self::new(Reason::DateOutOfRange, detail)
    }
}
