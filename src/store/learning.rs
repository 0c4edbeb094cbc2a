//! What explain, failures and stuck answer from: numbers about all payloads, learnt beside the
//! consumer so that a question reads a few rows.
//!
//! [`hours`] reads what payloads did, an hour at a time, and [`rollup`] adds the hours of the last 7
//! days up; [`failures`] counts failures by fingerprint, a minute at a time; [`stuck`] keeps the payloads that have not come to an end. All of it can be
//! read again at any time and then is what it was: nothing is counted onto what is there. They are
//! called by one process at a time, which upkeep's learning sees to; two at once would do no harm
//! but the work twice.

pub mod failures;
pub mod hours;
mod read;
pub mod rollup;
pub mod stuck;
mod tally;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::sqlx::{self, PgConnection};

use crate::explain::{Class, Step};

pub use read::{Learnt, classes, learnt, statistics};

/// How far back statistics reach.
pub const REACH: TimeDelta = TimeDelta::days(7);

const TOUCHED: &str = "
SELECT hour, sum(touched)::bigint FROM producer_hours WHERE hour >= $1 GROUP BY hour";

const CLASSES: &str = "
SELECT id, class FROM statuses JOIN status_classes ON status = name WHERE class <> 'progress'";

/// The beginning of the UTC hour that `at` lies in.
fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for instants some 300,000 years from now.
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

/// How often something was counted of each hour from `since` on. Whoever finds another number than before
/// knows that statuses with a date of that hour came.
async fn touched(
    session: &mut PgConnection,
    since: DateTime<Utc>,
) -> Result<BTreeMap<DateTime<Utc>, i64>, sqlx::Error> {
    let rows: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(TOUCHED)
        .bind(since)
        .fetch_all(session)
        .await?;
    Ok(rows.into_iter().collect())
}

/// The classes of all status names that are not progress, by id.
async fn all_classes(session: &mut PgConnection) -> Result<HashMap<i32, Class>, sqlx::Error> {
    let rows: Vec<(i32, String)> = sqlx::query_as(CLASSES).fetch_all(session).await?;
    Ok(rows
        .into_iter()
        .map(|(id, class)| (id, class_of(&class)))
        .collect())
}

fn class_of(name: &str) -> Class {
    match name {
        "success" => Class::Success,
        "failure" => Class::Failure,
        _ => Class::Progress,
    }
}

/// A step as these tables have it: no source is 0.
fn step_of(service: i32, source: i32) -> Step {
    Step {
        service,
        source: (source != 0).then_some(source),
    }
}

fn source_of(step: Step) -> i32 {
    step.source.unwrap_or(0)
}
