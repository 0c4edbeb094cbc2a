//! Moments as people name them: an instant, or how long ago.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::status::parse_date;

/// What [`since`] takes, for whoever is told that it took nothing.
pub const FORMS: &str = "a time (RFC 3339, such as 2026-01-31T08:15:30Z, or a date) or how long ago (such as 90m, 24h, 7d)";

/// RFC 3339 (without a zone UTC), a date alone for its midnight, or a whole number of seconds,
/// minutes, hours or days before `now`: `30s`, `90m`, `24h`, `7d`; no earlier than the year 0.
pub fn since(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Some(ago) = duration(text) {
        // Not before what a date can name: PostgreSQL's times end some thousand years earlier.
        return now.checked_sub_signed(ago).filter(|at| at.year() >= 0);
    }
    parse_date(text).or_else(|| parse_date(&format!("{text}T00:00:00Z")))
}

fn duration(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.then(|| number.parse().ok())??;
    TimeDelta::try_seconds(number.checked_mul(seconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_dates_and_durations_are_moments() {
        let now = parse_date("2026-01-31T12:00:00Z").unwrap();
        for (given, expected) in [
            ("2026-01-31T08:15:30Z", "2026-01-31T08:15:30+00:00"),
            ("2026-01-30", "2026-01-30T00:00:00+00:00"),
            ("30s", "2026-01-31T11:59:30+00:00"),
            ("90m", "2026-01-31T10:30:00+00:00"),
            (" 24h ", "2026-01-30T12:00:00+00:00"),
            ("7d", "2026-01-24T12:00:00+00:00"),
        ] {
            let at = since(given, now).map(|at| at.to_rfc3339());
            assert_eq!(at.as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn everything_else_is_none() {
        let now = Utc::now();
        for given in [
            "",
            "h",
            "-1h",
            "1.5h",
            "24",
            "24 h",
            "1w",
            "é",
            "yesterday",
            "99999999999999999999d",
            "999999999999999d",
            "+5m",
        ] {
            assert_eq!(since(given, now), None, "{given}");
        }
    }
}
