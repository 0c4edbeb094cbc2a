//! Payloads that were at an end when they were looked at, and of which something was heard since.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sqlx::{self, PgConnection};

use super::look::Looker;
use super::{BEGINNING, MOST_OPEN, NEXT_LOOK, PAGE, count_open};

/// How old statuses are when they are looked through: by then the transactions that stored them are over,
/// nearly all of them.
const SETTLED: TimeDelta = TimeDelta::seconds(15);

/// How far the next look reaches back behind the last one, for those that took longer.
const OVERLAP: TimeDelta = TimeDelta::seconds(45);

/// A first look begins now: what was stored before is looked at in its turn.
const BEGIN: &str =
    "UPDATE payload_walk SET heard = greatest(coalesce(heard, $1), $2) RETURNING heard";

/// By the time of storing, for which each partition has a BRIN index: nobody knows how late what is stored
/// now was sent, and on which days it is.
const HEARD: &str = "
SELECT DISTINCT payload_id FROM payload_statuses AS s
 WHERE created_at >= $1 AND created_at < $2
   AND payload_id <= (SELECT payload_id FROM payload_walk)
   AND NOT EXISTS (SELECT FROM open_payloads AS o WHERE o.payload_id = s.payload_id)";

const ADVANCE: &str = "UPDATE payload_walk SET heard = $1";

/// Looks again at payloads that got statuses within the next minute that is to be looked through. Whether
/// another one is.
///
/// # Errors
/// What the database answers; the next round goes on there.
pub async fn look_at_heard(
    session: &mut PgConnection,
    looker: &Looker,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let settled = now - SETTLED;
    let heard: DateTime<Utc> = sqlx::query_scalar(BEGIN)
        .bind(settled)
        .bind(now - BEGINNING)
        .fetch_one(&mut *session)
        .await?;
    let until = heard + NEXT_LOOK;
    if until > settled {
        return Ok(false);
    }
    let payloads: Vec<i64> = sqlx::query_scalar(HEARD)
        .bind(heard - OVERLAP)
        .bind(until)
        .fetch_all(&mut *session)
        .await?;
    let mut room = MOST_OPEN - count_open(session).await?;
    for page in payloads.chunks(PAGE as usize) {
        if room <= 0 {
            break;
        }
        room -= looker.look_at(session, page).await?;
    }
    sqlx::query(ADVANCE)
        .bind(until)
        .execute(&mut *session)
        .await?;
    Ok(until + NEXT_LOOK <= settled)
}
