//! Values of arguments that narrow rejects.

use chrono::{DateTime, Utc};

use crate::since::{self, FORMS};
use crate::status::Reason;

/// A reason by its name.
pub fn reason(text: &str) -> Result<Reason, String> {
    let found = Reason::ALL.into_iter().find(|r| r.as_str() == text);
    found.ok_or_else(|| format!("allowed are {}", Reason::ALL.map(Reason::as_str).join(", ")))
}

/// A service, in the form it is stored in.
pub fn service(text: &str) -> Result<String, String> {
    Ok(text.trim().to_lowercase())
}

/// An instant, or how long ago.
pub fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    since::since(text, Utc::now()).ok_or_else(|| format!("allowed is {FORMS}"))
}
