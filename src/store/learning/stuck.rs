//! Payloads that have not come to an end, and which of them are past when they should have.
//!
//! Each payload is looked at once, [`FIRST_LOOK`] after it was first stored. If it is in progress or
//! stuck then, it is looked at again, about each minute, until it succeeded, failed, or nothing is
//! known of it any more. It is looked at again, too, when something more was heard of it.

mod heard;
mod look;
mod report;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sqlx::{self, PgConnection};

use heard::look_at_heard;
use look::Looker;
pub use report::{Stop, StuckPayload, Summary, stuck};

/// How old a payload is when it is first looked at.
pub const FIRST_LOOK: TimeDelta = TimeDelta::minutes(2);

/// How long until it is looked at again.
const NEXT_LOOK: TimeDelta = TimeDelta::minutes(1);

/// Open payloads that are kept at most: more are not looked at, until some have come to an end.
pub const MOST_OPEN: i64 = 100_000;

/// Payloads of one statement, and statements of one round, for new payloads and for open ones each.
const PAGE: i64 = 500;
const PAGES: usize = 20;

/// How far back the very first round begins.
const BEGINNING: TimeDelta = TimeDelta::hours(24);

const MARK: &str = "
INSERT INTO payload_marks (at, payload_id)
SELECT $1, coalesce((SELECT max(id) FROM payloads), 0)
 WHERE NOT EXISTS (SELECT FROM payload_marks WHERE at > $1::timestamptz - interval '15 seconds')";

const BEGIN: &str = "
INSERT INTO payload_walk (payload_id)
SELECT coalesce((SELECT min(id) - 1 FROM (
           SELECT id FROM payloads WHERE created_at >= $1 ORDER BY created_at LIMIT 1000) AS first), 0)
 WHERE NOT EXISTS (SELECT FROM payload_walk)";

const WALK: &str = "
SELECT walk.payload_id, coalesce((SELECT max(m.payload_id) FROM payload_marks AS m WHERE at <= $1), 0)
  FROM payload_walk AS walk";

const FORGET_MARKS: &str = "
DELETE FROM payload_marks
 WHERE at < (SELECT max(at) FROM payload_marks WHERE at <= $1)";

const NEW: &str = "
SELECT id FROM payloads WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";

const ADVANCE: &str = "UPDATE payload_walk SET payload_id = $1";

const OPEN: &str = "
SELECT payload_id FROM open_payloads WHERE looked_at <= $1 ORDER BY looked_at LIMIT $2";

const COUNT: &str = "SELECT count(*) FROM open_payloads";

/// Looks at new payloads and again at open ones. Whether more are waiting.
///
/// # Errors
///
/// What the database answers; the next round goes on there.
pub async fn refresh(session: &mut PgConnection, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let old_enough = now - FIRST_LOOK;
    sqlx::query(MARK).bind(now).execute(&mut *session).await?;
    sqlx::query(BEGIN)
        .bind(now - BEGINNING)
        .execute(&mut *session)
        .await?;
    sqlx::query(FORGET_MARKS)
        .bind(old_enough)
        .execute(&mut *session)
        .await?;
    let looker = Looker::new(session, now).await?;
    let more_open = look_again(session, &looker, now).await?;
    let more_new = look_at_new(session, &looker, old_enough).await?;
    let more_heard = look_at_heard(session, &looker, now).await?;
    Ok(more_open || more_new || more_heard)
}

async fn count_open(session: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(COUNT).fetch_one(session).await
}

async fn look_at_new(
    session: &mut PgConnection,
    looker: &Looker,
    old_enough: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (mut from, until): (i64, i64) = sqlx::query_as(WALK)
        .bind(old_enough)
        .fetch_one(&mut *session)
        .await?;
    let mut room = MOST_OPEN - count_open(session).await?;
    for _ in 0..PAGES {
        let payloads: Vec<i64> = sqlx::query_scalar(NEW)
            .bind(from)
            .bind(until)
            .bind(PAGE)
            .fetch_all(&mut *session)
            .await?;
        let Some(last) = payloads.last().copied() else {
            return Ok(false);
        };
        if room > 0 {
            room -= looker.look_at(session, &payloads).await?;
        }
        sqlx::query(ADVANCE)
            .bind(last)
            .execute(&mut *session)
            .await?;
        from = last;
    }
    Ok(from < until)
}

async fn look_again(
    session: &mut PgConnection,
    looker: &Looker,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    for _ in 0..PAGES {
        let payloads: Vec<i64> = sqlx::query_scalar(OPEN)
            .bind(now - NEXT_LOOK)
            .bind(PAGE)
            .fetch_all(&mut *session)
            .await?;
        if payloads.is_empty() {
            return Ok(false);
        }
        looker.look_at(session, &payloads).await?;
    }
    Ok(true)
}
