use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use payload_tracker::config::Retention;
use payload_tracker::upkeep::{Event, Outcome, Round, UpkeepError};
use sea_orm::sqlx::{AssertSqlSafe, PgPool, query, query_as, query_scalar, raw_sql};

use crate::support::{self, TestDatabase};

/// The contract's defaults.
pub const RETENTION: Retention = Retention {
    days: 7,
    reject_days: 30,
};

/// A database, and what a round makes of it.
pub struct Site {
    pub database: TestDatabase,
}

impl Site {
    pub async fn new() -> Self {
        Self {
            database: support::database().await,
        }
    }

    pub fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// One round, with what it told.
    pub async fn round(&self) -> (Result<Outcome, UpkeepError>, Vec<Event>) {
        let mut events = Vec::new();
        let mut tell = |event| events.push(event);
        let ended = Round::run(&self.database.config(), &RETENTION, &mut tell).await;
        (ended, events)
    }

    /// One round that does all there is to do.
    pub async fn done(&self) -> Vec<Event> {
        let (ended, events) = self.round().await;
        assert!(matches!(ended, Ok(Outcome::Done)), "{ended:?} {events:?}");
        events
    }

    pub async fn run(&self, sql: &str) {
        raw_sql(AssertSqlSafe(sql))
            .execute(self.pool())
            .await
            .unwrap();
    }

    pub async fn count(&self, from: &str) -> i64 {
        query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {from}")))
            .fetch_one(self.pool())
            .await
            .unwrap()
    }

    /// Partitions of these days, as the consumer makes them.
    pub async fn partitions(&self, days_ago: impl IntoIterator<Item = u64>) {
        for ago in days_ago {
            query("SELECT create_partition($1, $2)")
                .bind(midnight(ago))
                .bind(midnight(ago) + Days::new(1))
                .execute(self.pool())
                .await
                .unwrap();
        }
    }

    /// That many payloads of one day, each with two statuses and one host id.
    pub async fn payloads(&self, days_ago: u64, count: u32) {
        query(
            "WITH named AS (
                 INSERT INTO payloads (request_id, inventory_id, org_id, created_at, first_day, last_day)
                 SELECT md5($1::text || '/' || n), 'host-' || n, '1',
                        $1 + n * interval '86399 s' / $2, $1::date, $1::date
                   FROM generate_series(1, $2) AS n
                 RETURNING id, inventory_id, created_at
             ), hosts AS (
                 INSERT INTO payload_ids SELECT 1, inventory_id, id FROM named
             )
             INSERT INTO payload_statuses (payload_id, service_id, status_id, date)
             SELECT id, 1, step, created_at FROM named CROSS JOIN generate_series(1, 2) AS step",
        )
        .bind(midnight(days_ago))
        .bind(i32::try_from(count).unwrap())
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// One payload without statuses; its id. The days are SQL.
    pub async fn payload(&self, request_id: &str, days_ago: u64, last_day: &str) -> i64 {
        let sql = format!(
            "INSERT INTO payloads (request_id, created_at, first_day, last_day)
             VALUES ($1, $2, {last_day}, {last_day}) RETURNING id"
        );
        query_scalar(AssertSqlSafe(sql))
            .bind(request_id)
            .bind(midnight(days_ago))
            .fetch_one(self.pool())
            .await
            .unwrap()
    }

    /// A status at noon of a day that has a partition.
    pub async fn status(&self, payload: i64, days_ago: u64) {
        query(
            "INSERT INTO payload_statuses (payload_id, service_id, status_id, date)
             VALUES ($1, 1, 1, $2)",
        )
        .bind(payload)
        .bind(midnight(days_ago) + TimeDelta::hours(12))
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// The request ids that are left, sorted.
    pub async fn request_ids(&self) -> Vec<String> {
        query_scalar("SELECT request_id FROM payloads ORDER BY 1")
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// The bounds of all partitions, as days before today and the hour.
    pub async fn bounds(&self) -> Vec<(i64, i64)> {
        query_as(
            "SELECT extract(day FROM $1 - lower)::bigint, extract(hour FROM lower AT TIME ZONE 'UTC')::bigint
             FROM status_partitions() ORDER BY lower",
        )
        .bind(midnight(0))
        .fetch_all(self.pool())
        .await
        .unwrap()
    }

    /// The days before today that have a partition from midnight on; those ahead are negative.
    pub async fn days(&self) -> BTreeSet<i64> {
        let bounds = self.bounds().await;
        bounds.into_iter().map(|(day, _)| day).collect()
    }

    /// No status without its payload, no host id without its payload, no table that was detached.
    pub async fn is_consistent(&self) {
        let orphans = "payload_statuses AS s WHERE NOT EXISTS (
                           SELECT FROM payloads WHERE id = payload_id)";
        assert_eq!(self.count(orphans).await, 0, "statuses without payload");
        let ids = "payload_ids AS i WHERE NOT EXISTS (SELECT FROM payloads WHERE id = payload_id)";
        assert_eq!(self.count(ids).await, 0, "host ids without payload");
        let tables =
            "pg_class WHERE relname LIKE 'partition%' AND relkind = 'r' AND NOT relispartition";
        assert_eq!(self.count(tables).await, 0, "tables left behind");
        assert_eq!(self.count("expired_partitions").await, 0);
        assert_eq!(self.count("ownerless_ids").await, 0);
    }
}

/// The days from which statuses are kept at this moment, as days before today: in the hour after midnight one
/// more.
pub fn kept() -> u64 {
    if Utc::now().time() < NaiveTime::from_hms_opt(1, 0, 0).unwrap() {
        8
    } else {
        7
    }
}

/// The beginning of the UTC day that many days before today.
pub fn midnight(days_ago: u64) -> chrono::DateTime<Utc> {
    let day: NaiveDate = Utc::now().date_naive() - Days::new(days_ago);
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The sum of a table's rows that the steps told of.
pub fn deleted(events: &[Event], table: payload_tracker::upkeep::Table) -> u64 {
    let of_step = |event: &Event| match event {
        Event::Step { deleted, .. } => {
            let dependents = deleted.dependents.into_iter();
            let all = std::iter::once((deleted.table, deleted.rows)).chain(dependents);
            all.filter(|(of, _)| *of == table)
                .map(|(_, rows)| rows)
                .sum()
        }
        _ => 0,
    };
    events.iter().map(of_step).sum()
}
