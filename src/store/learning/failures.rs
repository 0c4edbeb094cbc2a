//! Failures by fingerprint and minute.
//!
//! A minute (of the statuses' date) is read anew when it has more failures than when it was last
//! read, so it does not matter in which order statuses were committed, nor how late they came.

mod minute;
mod own;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::sqlx::{self, PgConnection};

use super::{REACH, all_classes, hour_of, touched};
use crate::explain::Class;

pub use report::{Failure, Kind, Similar, failures, similar};

/// Minutes are counted in pieces this long, so that no statement takes long.
const PIECE: TimeDelta = TimeDelta::minutes(10);

const KNOWN: &str = "SELECT hour, touched FROM failure_hours WHERE hour >= $1";

const COUNTS: &str = "
SELECT date_trunc('minute', date), count(*) FROM payload_statuses
 WHERE status_id = ANY($1) AND date >= $2 AND date < $3 GROUP BY 1";

const KNOWN_COUNTS: &str = "
SELECT minute, statuses FROM failure_counts WHERE minute >= $1 AND minute < $2";

const STORE_HOUR: &str = "
INSERT INTO failure_hours (hour, touched) VALUES ($1, $2)
ON CONFLICT (hour) DO UPDATE SET touched = excluded.touched";

/// Reads each minute of the last 7 days (and of those to come) that has more failures than it had,
/// and gives how many minutes that were.
///
/// Looked at are this hour and the one before it, hours for which messages came since, and those
/// never looked at.
///
/// # Errors
///
/// What the database answers; what was read until then stays.
pub async fn refresh(session: &mut PgConnection, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let failures: Vec<i32> = all_classes(session)
        .await?
        .into_iter()
        .filter(|(_, class)| *class == Class::Failure)
        .map(|(id, _)| id)
        .collect();
    let since = hour_of(now - REACH);
    // Before anything is counted: what comes meanwhile has the hour looked at again.
    let touched = touched(session, since).await?;
    let known: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(KNOWN)
        .bind(since)
        .fetch_all(&mut *session)
        .await?;
    let known: BTreeMap<_, _> = known.into_iter().collect();
    let mut minutes = 0;
    for hour in hours(since, now, &touched, &known) {
        minutes += refresh_hour(session, hour, &failures).await?;
        sqlx::query(STORE_HOUR)
            .bind(hour)
            .bind(touched.get(&hour).copied().unwrap_or(0))
            .execute(&mut *session)
            .await?;
    }
    Ok(minutes)
}

/// The beginning of the minute that `at` lies in.
fn minute_of(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for instants some 300,000 years from now.
    at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at)
}

/// The latest first.
fn hours(
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    touched: &BTreeMap<DateTime<Utc>, i64>,
    known: &BTreeMap<DateTime<Utc>, i64>,
) -> Vec<DateTime<Utc>> {
    let this = hour_of(now);
    let mut all: BTreeSet<DateTime<Utc>> = touched.keys().copied().collect();
    let mut hour = since;
    while hour <= this {
        all.insert(hour);
        hour += TimeDelta::hours(1);
    }
    let recent = this - TimeDelta::hours(1)..=this;
    let is_new = |hour: &DateTime<Utc>| {
        recent.contains(hour) || known.get(hour) != Some(touched.get(hour).unwrap_or(&0))
    };
    all.into_iter().rev().filter(is_new).collect()
}

async fn refresh_hour(
    session: &mut PgConnection,
    hour: DateTime<Utc>,
    failures: &[i32],
) -> Result<usize, sqlx::Error> {
    let mut minutes = 0;
    let mut from = hour;
    while from < hour + TimeDelta::hours(1) {
        let to = from + PIECE;
        let found: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(COUNTS)
            .bind(failures)
            .bind(from)
            .bind(to)
            .fetch_all(&mut *session)
            .await?;
        let known: Vec<(DateTime<Utc>, i64)> = match found.is_empty() {
            true => Vec::new(),
            false => {
                let known = sqlx::query_as(KNOWN_COUNTS).bind(from).bind(to);
                known.fetch_all(&mut *session).await?
            }
        };
        let known: BTreeMap<_, _> = known.into_iter().collect();
        for (minute, statuses) in found {
            if statuses > known.get(&minute).copied().unwrap_or(0) {
                minute::read(session, minute, failures, statuses).await?;
                minutes += 1;
            }
        }
        from = to;
    }
    Ok(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_hours_new_ones_and_those_that_got_messages_are_looked_at() {
        let now: DateTime<Utc> = "2026-03-05T10:30:00Z".parse().unwrap();
        let hour = |ago: i64| hour_of(now) - TimeDelta::hours(ago);
        let touched = [(hour(-3), 1), (hour(0), 4), (hour(2), 4), (hour(3), 5)].into();
        let known = (0..5)
            .map(|ago| (hour(ago), if ago < 4 { 4 } else { 0 }))
            .collect();
        let found = hours(hour(5), now, &touched, &known);
        assert_eq!(found, [hour(-3), hour(0), hour(1), hour(3), hour(5)]);
    }
}
