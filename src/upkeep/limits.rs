//! What is kept and what has expired, as of one instant.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::config::Retention;
use crate::store::learning::REACH;

/// Days for which there is a partition before they begin, today not counted.
const AHEAD: u64 = 3;

/// How long after midnight the day that has expired goes. A batch that was decoded before midnight may be
/// written after it, and clocks differ.
const GRACE: TimeDelta = TimeDelta::hours(1);

/// The bounds that a round works by. Days are UTC days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Today.
    pub today: NaiveDate,
    /// The oldest day that is kept: as the decoding rule has it, the day exactly `RETENTION_DAYS`
    /// before today.
    pub oldest_day: NaiveDate,
    /// Rejects and hours before this go.
    pub rejects_from: DateTime<Utc>,
    /// What was learnt of payloads before this goes.
    pub learnt_from: DateTime<Utc>,
}

impl Limits {
    /// The bounds at `now`.
    pub fn at(now: DateTime<Utc>, retention: &Retention) -> Self {
        let settled = (now - GRACE).date_naive();
        Self {
            today: now.date_naive(),
            oldest_day: settled
                .checked_sub_days(Days::new(retention.days.into()))
                .unwrap_or(NaiveDate::MIN),
            rejects_from: now - TimeDelta::days(retention.reject_days.into()),
            // The hour that the reach begins in counts.
            learnt_from: now - REACH - TimeDelta::hours(1),
        }
    }

    /// The beginning of the oldest day that is kept.
    pub fn keep_from(&self) -> DateTime<Utc> {
        self.oldest_day.and_time(NaiveTime::MIN).and_utc()
    }

    /// The days that need a partition now.
    pub fn days_ahead(&self) -> impl Iterator<Item = NaiveDate> {
        let today = self.today;
        (0..=AHEAD).filter_map(move |ahead| today.checked_add_days(Days::new(ahead)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Message, Rules};

    const RETENTION: Retention = Retention {
        days: 7,
        reject_days: 30,
    };

    fn at(instant: &str) -> DateTime<Utc> {
        instant.parse().unwrap()
    }

    #[test]
    fn a_day_expires_an_hour_after_the_midnight_that_makes_it_too_old() {
        let day = |instant| Limits::at(at(instant), &RETENTION).oldest_day.to_string();
        assert_eq!(day("2026-03-15T23:59:59Z"), "2026-03-08");
        assert_eq!(day("2026-03-16T00:59:59Z"), "2026-03-08");
        assert_eq!(day("2026-03-16T01:00:00Z"), "2026-03-09");
    }

    #[test]
    fn what_is_accepted_has_not_expired() {
        for now in [
            "2026-03-16T00:00:00Z",
            "2026-03-16T12:00:00Z",
            "2026-03-16T23:59:59Z",
        ] {
            let limits = Limits::at(at(now), &RETENTION);
            for hours in 0..24 * 10 {
                let date = at(now) - TimeDelta::hours(hours);
                let json = format!(
                    r#"{{"service":"s","status":"t","org_id":"1","date":"{}",
                        "request_id":"0123456789abcdef0123456789abcdef"}}"#,
                    date.to_rfc3339()
                );
                let decoded = Message::decode(json.as_bytes(), &Rules::default(), at(now));
                if decoded.is_ok() {
                    assert!(date >= limits.keep_from(), "{date} at {now}");
                } else {
                    let settled = at(now) - GRACE;
                    let kept_for_a_while = settled.date_naive() != limits.today;
                    assert!(
                        date < limits.keep_from() || kept_for_a_while,
                        "{date} at {now}"
                    );
                }
            }
        }
    }

    #[test]
    fn today_and_three_days_more_have_a_partition() {
        let limits = Limits::at(at("2026-02-27T23:30:00Z"), &RETENTION);
        let days: Vec<_> = limits.days_ahead().map(|day| day.to_string()).collect();
        assert_eq!(
            days,
            ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
        );
    }
}
