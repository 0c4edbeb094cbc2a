//! When a payload counts among those that fail in some way, by the rules that minutes are counted by.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use super::minute::HORIZON;
use super::minute_of;
use super::report::Kind;
use crate::explain::{Fingerprint, MOST_READ};

/// Statuses of one payload that are read.
const MOST_STATUSES: i64 = 1_000;

const FAILURES: &str = "
SELECT payload_id, date, left(coalesce(status_msg, ''), $4) AS message
  FROM unnest($1) AS p(id) CROSS JOIN LATERAL (
      SELECT * FROM (
          SELECT payload_id, date, id, service_id, status_id, status_msg FROM payload_statuses AS s
           WHERE s.payload_id = p.id AND s.date >= $3 OFFSET 0) AS its
       ORDER BY date, id LIMIT $5) AS said
 WHERE service_id = $2
   AND status_id IN (SELECT n.id FROM statuses AS n JOIN status_classes ON status = name
                      WHERE class = 'failure')
 ORDER BY date, said.id";

#[derive(FromQueryResult)]
struct Failure {
    payload_id: i64,
    date: DateTime<Utc>,
    message: String,
}

/// The minutes from `since` on in which one of these payloads counts, each with when it failed.
///
/// # Errors
/// Whatever the database answers.
pub async fn counted(
    kind: Kind,
    payloads: &[i64],
    since: DateTime<Utc>,
    db: &impl ConnectionTrait,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, DbErr> {
    let values = [
        payloads.to_vec().into(),
        kind.service.into(),
        (since - HORIZON).into(),
        (MOST_READ as i32).into(),
        MOST_STATUSES.into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, FAILURES, values);
    let failures = Failure::find_by_statement(statement).all(db).await?;
    let mut dates: BTreeMap<i64, Vec<DateTime<Utc>>> = BTreeMap::new();
    for failure in failures {
        if Fingerprint::of(&failure.message).hash == kind.fingerprint {
            dates
                .entry(failure.payload_id)
                .or_default()
                .push(failure.date);
        }
    }
    let counted = dates.values().flat_map(|dates| first_of_each(dates));
    Ok(counted.filter(|(minute, _)| *minute >= since).collect())
}

/// A payload counts in a minute in which it failed, unless it failed so within [`HORIZON`] before it.
fn first_of_each(dates: &[DateTime<Utc>]) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let is_first = |(place, date): &(usize, &DateTime<Utc>)| {
        let before = place.checked_sub(1).map(|place| dates[place]);
        before.is_none_or(|before| before < minute_of(**date) - HORIZON)
    };
    let firsts = dates.iter().enumerate().filter(is_first);
    firsts.map(|(_, date)| (minute_of(*date), *date)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_payload_counts_once_within_a_day() {
        let at = |minutes: i64| {
            let begin: DateTime<Utc> = "2026-03-05T10:00:20Z".parse().unwrap();
            begin + TimeDelta::minutes(minutes)
        };
        let day = 24 * 60;
        for (dates, expected) in [
            (vec![], vec![]),
            (vec![at(0), at(0), at(5)], vec![at(0)]),
            (vec![at(0), at(day)], vec![at(0)]),
            (vec![at(0), at(day + 1)], vec![at(0), at(day + 1)]),
            (vec![at(0), at(5), at(day + 1)], vec![at(0)]),
        ] {
            let counted: Vec<_> = first_of_each(&dates)
                .into_iter()
                .map(|(_, date)| date)
                .collect();
            assert_eq!(counted, expected, "{dates:?}");
        }
        assert_eq!(first_of_each(&[at(0)])[0].0, minute_of(at(0)));
        assert_ne!(minute_of(at(0)), at(0));
    }
}
