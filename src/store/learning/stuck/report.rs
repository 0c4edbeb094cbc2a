//! Stuck payloads, for whoever asks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, Value};

use super::MOST_OPEN;
use crate::explain::Step;
use crate::store::learning::step_of;

/// Payloads of one step that are named: those that are stuck the longest.
const EXAMPLES: i64 = 10;

/// A step that payloads are stuck before, or in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stop {
    pub step: Step,
    /// Before it, not in it.
    pub is_before: bool,
}

/// A stuck payload.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct StuckPayload {
    pub request_id: String,
    pub org_id: Option<String>,
    pub since: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub looked_at: DateTime<Utc>,
}

/// What is stuck at one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub stop: Stop,
    pub payloads: i64,
    /// The earliest first.
    pub examples: Vec<StuckPayload>,
}

const STOPS: &str = "
SELECT service_id, source_id, is_before, count(*) AS payloads FROM open_payloads
 WHERE due_at <= $1 GROUP BY service_id, source_id, is_before
 ORDER BY payloads DESC, service_id, source_id, is_before LIMIT 100";

const EXAMPLES_OF: &str = "
SELECT stop.place, request_id, org_id, since, due_at, looked_at
  FROM unnest($2, $3, $4) WITH ORDINALITY AS stop(service, source, is_before, place)
 CROSS JOIN LATERAL (
     SELECT payload_id, since, due_at, looked_at FROM open_payloads AS o
      WHERE o.due_at <= $1 AND o.service_id = stop.service AND o.source_id = stop.source
        AND o.is_before = stop.is_before
      ORDER BY o.due_at, o.payload_id LIMIT $5) AS o
  JOIN payloads AS p ON p.id = o.payload_id
 ORDER BY stop.place, due_at, payload_id";

const COUNT: &str = "SELECT count(*) AS payloads FROM open_payloads";

#[derive(FromQueryResult)]
struct StopRow {
    service_id: i32,
    source_id: i32,
    is_before: bool,
    payloads: i64,
}

#[derive(FromQueryResult)]
struct ExampleRow {
    place: i64,
    #[sea_orm(nested)]
    payload: StuckPayload,
}

#[derive(FromQueryResult)]
struct CountRow {
    payloads: i64,
}

/// What was to happen before `due`, by step, most payloads first; and whether there is more than is
/// looked at.
///
/// # Errors
/// Whatever the database answers.
pub async fn stuck(
    due: DateTime<Utc>,
    db: &impl ConnectionTrait,
) -> Result<(Vec<Summary>, bool), DbErr> {
    let stops: Vec<StopRow> = all(STOPS, [due.into()], db).await?;
    let of = |value: fn(&StopRow) -> i32| stops.iter().map(value).collect::<Vec<_>>();
    let values = [
        due.into(),
        of(|stop| stop.service_id).into(),
        of(|stop| stop.source_id).into(),
        stops
            .iter()
            .map(|stop| stop.is_before)
            .collect::<Vec<_>>()
            .into(),
        EXAMPLES.into(),
    ];
    let mut examples: BTreeMap<i64, Vec<StuckPayload>> = BTreeMap::new();
    for row in all::<ExampleRow>(EXAMPLES_OF, values, db).await? {
        examples.entry(row.place).or_default().push(row.payload);
    }
    let summary = |(place, stop): (i64, StopRow)| Summary {
        stop: Stop {
            step: step_of(stop.service_id, stop.source_id),
            is_before: stop.is_before,
        },
        payloads: stop.payloads,
        examples: examples.remove(&place).unwrap_or_default(),
    };
    let summaries = (1..).zip(stops).map(summary).collect();
    let count: Vec<CountRow> = all(COUNT, [], db).await?;
    let full = count.iter().any(|row| row.payloads >= MOST_OPEN);
    Ok((summaries, full))
}

async fn all<T: FromQueryResult + Send + Sync>(
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
    db: &impl ConnectionTrait,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    T::find_by_statement(statement).all(db).await
}
