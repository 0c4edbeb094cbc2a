//! How values that JSON has no type for are written.

use std::fmt;

use chrono::{DateTime, SubsecRound, Timelike, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// An instant: RFC 3339 in UTC with `Z`, at most six fraction digits, no trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-31T08:15:30.25Z")]
pub struct Instant(pub DateTime<Utc>);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    let at = at.trunc_subsecs(6);
    let seconds = at.format("%Y-%m-%dT%H:%M:%S");
    match at.nanosecond() / 1_000 {
        0 => format!("{seconds}Z"),
        micros => {
            let digits = format!("{micros:06}");
            format!("{seconds}.{}Z", digits.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        rfc3339(text.parse().unwrap())
    }

    #[test]
    fn fractions_have_no_trailing_zeros() {
        for (given, expected) in [
            ("2026-01-31T08:15:30Z", "2026-01-31T08:15:30Z"),
            ("2026-01-31T08:15:30.000000Z", "2026-01-31T08:15:30Z"),
            ("2026-01-31T08:15:30.250000Z", "2026-01-31T08:15:30.25Z"),
            ("2026-01-31T08:15:30.000001Z", "2026-01-31T08:15:30.000001Z"),
            ("2026-01-31T08:15:30.100200Z", "2026-01-31T08:15:30.1002Z"),
        ] {
            assert_eq!(written(given), expected);
        }
    }

    #[test]
    fn digits_beyond_the_sixth_are_cut() {
        assert_eq!(
            written("2026-01-31T08:15:30.1234569Z"),
            "2026-01-31T08:15:30.123456Z"
        );
        assert_eq!(
            written("2026-01-31T08:15:30.0000009Z"),
            "2026-01-31T08:15:30Z"
        );
    }

    #[test]
    fn another_zone_is_written_in_utc() {
        assert_eq!(written("2026-01-31T01:00:00+02:00"), "2026-01-30T23:00:00Z");
    }
}
