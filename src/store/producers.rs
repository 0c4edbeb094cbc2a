//! What each service sends, by hour: the numbers behind `GET {mount}/producers`.
//!
//! Two hours meet here. What is *counted* as messages come in ([`count`]: messages, missing org_id,
//! rejects, clock skew) belongs to the hour of Kafka's timestamp, so that a backlog that is read
//! later changes neither the hour nor the skew. What is *judged* once an hour is over ([`judge`]:
//! began, never ended, duplicates, unknown names) is read from the statuses of that hour by their
//! `date`, since only that finds their partitions. For a clock that is right they are the same hour.
//!
//! Redrives are not counted: their messages were, when they were consumed.

mod count;
mod judge;
mod report;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

pub use count::{count, rehearse, reopen};
pub use judge::{SETTLED_AFTER, judge};
pub use report::{Producer, Report, report};

/// How many messages had which skew: Kafka's timestamp minus the message's date.
///
/// Positive: the message says it happened before Kafka had it, as is usual. Negative: the
/// producer's clock is ahead.
pub type Skew = crate::histogram::Histogram<1>;

/// The beginning of the UTC hour that `at` lies in.
fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for instants some 300,000 years from now; no date passes validation there.
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}
