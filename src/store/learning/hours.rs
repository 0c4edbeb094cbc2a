//! What the payloads of an hour did.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sqlx::{self, Connection, PgConnection, PgTransaction};

use super::tally::{Lengths, Tally, pairs};
use super::{REACH, all_classes, hour_of, source_of, touched};
use crate::explain::{Class, Path, Status, Step};

/// How old a payload is before it is looked at: what it has not done by then it usually does not do
/// soon.
pub const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(10);

/// How far from its beginning the statuses of a payload are looked for.
const HORIZON: TimeDelta = TimeDelta::hours(24);

/// An hour is read in pieces this long, and of each at most so many payloads: no statement takes
/// long, and a busy hour no longer than a quiet one. The first ones of a minute stand for the others.
const SLICE: TimeDelta = TimeDelta::minutes(1);
const MOST_PAYLOADS: i64 = 1_000;

/// Statuses of one payload that are looked at: the first ones.
const MOST_STATUSES: i64 = 200;

/// How long an hour that got more statuses waits to be read again: while it is recent, and later.
const SOON: TimeDelta = TimeDelta::minutes(10);
const LATER: TimeDelta = TimeDelta::hours(1);

const KNOWN: &str = "SELECT hour, computed_at, touched FROM learnt_hours WHERE hour >= $1";

const OLDEST: &str = "SELECT min(created_at) FROM payloads";

const PAYLOADS: &str = "
SELECT id FROM payloads WHERE created_at >= $1 AND created_at < $2 ORDER BY created_at LIMIT $3";

/// LATERAL with LIMIT: some probes of an index a payload, whatever the planner knows.
const STATUSES: &str = "
SELECT said.* FROM unnest($1::bigint[]) AS p(id) CROSS JOIN LATERAL (
    SELECT payload_id, id, service_id, source_id, status_id, date FROM payload_statuses AS s
     WHERE s.payload_id = p.id AND s.date >= $2 AND s.date < $3
     ORDER BY s.date, s.id LIMIT $4) AS said";

const FORGET: [&str; 2] = [
    "DELETE FROM step_hours WHERE hour = $1",
    "DELETE FROM follower_hours WHERE hour = $1",
];

const STORE_STEPS: &str = "
INSERT INTO step_hours (hour, service_id, source_id, passed, took)
SELECT $1, service, source, passed, took::integer[]
  FROM unnest($2::int[], $3::int[], $4::bigint[], $5::text[]) AS n(service, source, passed, took)";

const STORE_FOLLOWERS: &str = "
INSERT INTO follower_hours
       (hour, service_id, source_id, next_service_id, next_source_id, wait)
SELECT $1, service, source, next_service, next_source, wait::integer[]
  FROM unnest($2::int[], $3::int[], $4::int[], $5::int[], $6::text[])
       AS n(service, source, next_service, next_source, wait)";

const STORE_HOUR: &str = "
INSERT INTO learnt_hours (hour, computed_at, payloads, touched) VALUES ($1, $2, $3, $4)
ON CONFLICT (hour) DO UPDATE SET computed_at = excluded.computed_at,
       payloads = excluded.payloads, touched = excluded.touched";

/// An hour that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub hour: DateTime<Utc>,
    touched: i64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    computed_at: DateTime<Utc>,
    touched: i64,
}

/// The hours of the last 7 days that are to be read at `now`, the latest first: those that never
/// were, and those that got statuses since, or might see payloads go on.
///
/// # Errors
///
/// What the database answers.
pub async fn due(session: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Due>, sqlx::Error> {
    let oldest: Option<DateTime<Utc>> = sqlx::query_scalar(OLDEST).fetch_one(&mut *session).await?;
    let Some(oldest) = oldest else {
        return Ok(Vec::new());
    };
    let since = hour_of(oldest.max(now - REACH));
    let touched = touched(session, since).await?;
    let known: Vec<(DateTime<Utc>, DateTime<Utc>, i64)> = sqlx::query_as(KNOWN)
        .bind(since)
        .fetch_all(&mut *session)
        .await?;
    let known: BTreeMap<_, _> = known
        .into_iter()
        .map(|(hour, computed_at, touched)| {
            (
                hour,
                Known {
                    computed_at,
                    touched,
                },
            )
        })
        .collect();
    let mut due = Vec::new();
    let mut hour = hour_of(now - SETTLED_AFTER);
    while hour >= since {
        let touched = touched.get(&hour).copied().unwrap_or(0);
        if is_due(hour, touched, known.get(&hour), now) {
            due.push(Due { hour, touched });
        }
        hour -= TimeDelta::hours(1);
    }
    Ok(due)
}

/// While it lasts and until an hour after, an hour gets payloads, and they go on: it is read every
/// [`SOON`], and once more when its [`HORIZON`] is over. In between, and after, only what came late
/// has it read again.
fn is_due(hour: DateTime<Utc>, touched: i64, known: Option<&Known>, now: DateTime<Utc>) -> bool {
    let Some(known) = known else {
        return true;
    };
    let end = hour + TimeDelta::hours(1);
    let complete = end + HORIZON;
    let age = now - known.computed_at;
    let recent = known.computed_at < end + LATER;
    recent && age >= SOON
        || known.touched != touched && age >= LATER
        || known.computed_at < complete && complete <= now
}

/// Reads an hour and writes what its payloads did. It may be interrupted: nothing is written then.
///
/// # Errors
///
/// What the database answers.
pub async fn learn(
    session: &mut PgConnection,
    due: Due,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let classes = all_classes(session).await?;
    let mut tally = Tally::default();
    let end = (due.hour + TimeDelta::hours(1)).min(now - SETTLED_AFTER);
    let mut from = due.hour;
    while from < end {
        let to = (from + SLICE).min(end);
        for path in paths(session, from, to, &classes).await? {
            tally.add(&path);
        }
        from = to;
    }
    tally.trim();
    let mut transaction = session.begin().await?;
    store(&mut transaction, due, &tally, now).await?;
    transaction.commit().await
}

/// Payload, status, service, source, name, date.
type Row = (i64, i64, i32, Option<i32>, i32, DateTime<Utc>);

async fn paths(
    session: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    classes: &HashMap<i32, Class>,
) -> Result<Vec<Path>, sqlx::Error> {
    let payloads: Vec<i64> = sqlx::query_scalar(PAYLOADS)
        .bind(from)
        .bind(to)
        .bind(MOST_PAYLOADS)
        .fetch_all(&mut *session)
        .await?;
    if payloads.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(STATUSES)
        .bind(payloads)
        .bind(from)
        .bind(to + HORIZON)
        .bind(MOST_STATUSES)
        .fetch_all(session)
        .await?;
    let mut payloads: BTreeMap<i64, Vec<Status>> = BTreeMap::new();
    for (payload, id, service, source, name, date) in rows {
        let status = Status {
            id,
            step: Step { service, source },
            name,
            class: classes.get(&name).copied().unwrap_or(Class::Progress),
            date,
        };
        payloads.entry(payload).or_default().push(status);
    }
    Ok(payloads
        .into_values()
        .map(|statuses| statuses.into_iter().collect())
        .collect())
}

async fn store(
    transaction: &mut PgTransaction<'_>,
    due: Due,
    tally: &Tally,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for forget in FORGET {
        sqlx::query(forget)
            .bind(due.hour)
            .execute(&mut **transaction)
            .await?;
    }
    let steps = || tally.steps.keys();
    let seen = || tally.steps.values();
    sqlx::query(STORE_STEPS)
        .bind(due.hour)
        .bind(steps().map(|step| step.service).collect::<Vec<_>>())
        .bind(steps().map(|step| source_of(*step)).collect::<Vec<_>>())
        .bind(seen().map(|seen| seen.passed).collect::<Vec<_>>())
        .bind(seen().map(|seen| pairs(&seen.took)).collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    let ways = || tally.waits.keys();
    sqlx::query(STORE_FOLLOWERS)
        .bind(due.hour)
        .bind(ways().map(|(after, _)| after.service).collect::<Vec<_>>())
        .bind(
            ways()
                .map(|(after, _)| source_of(*after))
                .collect::<Vec<_>>(),
        )
        .bind(ways().map(|(_, next)| next.service).collect::<Vec<_>>())
        .bind(ways().map(|(_, next)| source_of(*next)).collect::<Vec<_>>())
        .bind(
            tally
                .waits
                .values()
                .map(|wait: &Lengths| pairs(wait))
                .collect::<Vec<_>>(),
        )
        .execute(&mut **transaction)
        .await?;
    sqlx::query(STORE_HOUR)
        .bind(due.hour)
        .bind(now)
        .bind(tally.payloads)
        .bind(due.touched)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_read_while_it_changes_and_when_something_came() {
        let hour: DateTime<Utc> = "2026-03-05T10:00:00Z".parse().unwrap();
        let at = |minutes: i64| hour + TimeDelta::minutes(minutes);
        let known = |minutes: i64, touched: i64| Known {
            computed_at: at(minutes),
            touched,
        };
        assert!(is_due(hour, 0, None, at(20)));
        for (name, computed, touched, now, due) in [
            ("while it lasts", 20, 5, 29, false),
            ("while it lasts, ten minutes later", 20, 5, 30, true),
            ("until an hour after", 119, 5, 129, true),
            ("read an hour after", 120, 5, 1_000, false),
            ("something came", 120, 6, 179, false),
            ("something came an hour ago", 120, 6, 180, true),
            ("a day after, and not before", 120, 5, 24 * 60 + 59, false),
            ("a day after", 120, 5, 25 * 60, true),
            ("read a day after", 25 * 60, 5, 100 * 60, false),
            ("something came after days", 25 * 60, 6, 100 * 60, true),
        ] {
            assert_eq!(
                is_due(hour, 5, Some(&known(computed, touched)), at(now)),
                due,
                "{name}"
            );
        }
    }
}
