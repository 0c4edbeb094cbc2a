//! How often each service succeeded and failed.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

/// The statuses of one service, by what table `status_classes` says of their names.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Outcomes {
    pub service: String,
    pub successes: i64,
    pub failures: i64,
}

/// Counts for each service and each name that means an outcome: that much the index on (service_id,
/// status_id, date) answers alone, without a row, and of progress, the most of all, it reads nothing.
const OUTCOMES: &str = "
WITH outcomes AS (
    SELECT statuses.id, class FROM status_classes JOIN statuses ON statuses.name = status
     WHERE class IN ('success', 'failure'))
SELECT services.name AS service,
       coalesce(sum(n) FILTER (WHERE class = 'success'), 0)::bigint AS successes,
       coalesce(sum(n) FILTER (WHERE class = 'failure'), 0)::bigint AS failures
  FROM services CROSS JOIN outcomes CROSS JOIN LATERAL (
       SELECT count(*) AS n FROM payload_statuses
        WHERE service_id = services.id AND status_id = outcomes.id AND date > $1 AND date <= $2) AS counted
 GROUP BY services.name HAVING sum(n) > 0
 ORDER BY services.name COLLATE \"C\"";

/// The outcomes of each service that had any with a date after `after` and not after `until`, by name.
///
/// # Errors
/// Whatever the database answers.
pub async fn outcomes<C: ConnectionTrait>(
    db: &C,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Outcomes>, DbErr> {
    let asked =
        Statement::from_sql_and_values(DbBackend::Postgres, OUTCOMES, [after.into(), until.into()]);
    Outcomes::find_by_statement(asked).all(db).await
}
