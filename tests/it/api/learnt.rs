//! Statuses around now, and what is learnt from them.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use payload_tracker::store::learning::{failures, hours, rollup};
use sea_orm::sqlx::{PgPool, query, raw_sql};
use serde_json::Value;

use super::fixture::Api;

/// Services one after the other: name, status, seconds after the payload's beginning.
pub type Journey = &'static [(&'static str, &'static str, f64)];

/// Three services in 40 s, as most payloads go.
pub const WHOLE: Journey = &[
    ("ingress", "received", 0.0),
    ("ingress", "success", 1.0),
    ("puptoo", "processing", 3.0),
    ("puptoo", "success", 13.0),
    ("inventory", "received", 33.0),
    ("inventory", "success", 40.0),
];

/// What a payload is known by; the rest of it does not matter.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub request_id: String,
    pub org_id: Option<String>,
    pub inventory_id: Option<String>,
    pub system_id: Option<String>,
}

pub fn known(request_id: impl ToString) -> Known {
    Known {
        request_id: request_id.to_string(),
        ..Known::default()
    }
}

/// One status.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub service: &'a str,
    pub source: Option<&'a str>,
    pub status: &'a str,
    pub message: &'a str,
    pub at: DateTime<Utc>,
}

pub fn said<'a>(service: &'a str, status: &'a str, at: DateTime<Utc>) -> Said<'a> {
    Said {
        service,
        source: None,
        status,
        message: "",
        at,
    }
}

/// The API, and what it answers from.
pub struct World {
    pub api: Api,
    pub now: DateTime<Utc>,
}

impl World {
    pub async fn new() -> Self {
        let api = Api::start().await;
        let now = Utc::now();
        let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        query("SELECT create_partition($1, $2)")
            .bind(today - Days::new(8))
            .bind(today + Days::new(2))
            .execute(&api.database.pool)
            .await
            .unwrap();
        Self { api, now }
    }

    pub fn pool(&self) -> &PgPool {
        &self.api.database.pool
    }

    pub fn ago(&self, seconds: i64) -> DateTime<Utc> {
        self.now - TimeDelta::seconds(seconds)
    }

    pub async fn say(&self, known: &Known, said: Said<'_>) {
        query(
            "WITH service AS (
                 INSERT INTO services (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = $1 RETURNING id
             ), source AS (
                 INSERT INTO sources (name) SELECT $2 WHERE $2 IS NOT NULL
                 ON CONFLICT (name) DO UPDATE SET name = $2 RETURNING id
             ), status AS (
                 INSERT INTO statuses (name) VALUES ($3) ON CONFLICT (name) DO UPDATE SET name = $3 RETURNING id
             ), payload AS (
                 INSERT INTO payloads AS p (request_id, org_id, inventory_id, system_id, created_at, first_day, last_day)
                 VALUES ($6, $7, $8, $9, $5, ($5 AT TIME ZONE 'UTC')::date, ($5 AT TIME ZONE 'UTC')::date)
                 ON CONFLICT (request_id) DO UPDATE SET
                     created_at = least(p.created_at, excluded.created_at),
                     first_day = least(p.first_day, excluded.first_day),
                     last_day = greatest(p.last_day, excluded.last_day)
                 RETURNING id
             ), hosts AS (
                 INSERT INTO payload_ids (kind, value, payload_id)
                 SELECT kind, value, id FROM payload CROSS JOIN (VALUES (1::smallint, $8::text), (2, $9)) AS n(kind, value)
                  WHERE value IS NOT NULL ON CONFLICT DO NOTHING
             )
             INSERT INTO payload_statuses (payload_id, service_id, source_id, status_id, status_msg, date)
             SELECT payload.id, service.id, (SELECT id FROM source), status.id, nullif($4, ''), $5
               FROM payload, service, status",
        )
        .bind(said.service)
        .bind(said.source)
        .bind(said.status)
        .bind(said.message)
        .bind(said.at)
        .bind(&known.request_id)
        .bind(&known.org_id)
        .bind(&known.inventory_id)
        .bind(&known.system_id)
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// A payload goes the way, from its beginning on.
    pub async fn go(&self, known: &Known, journey: Journey, from: DateTime<Utc>) {
        for (service, status, after) in journey {
            let at = from + TimeDelta::milliseconds((after * 1_000.0) as i64);
            self.say(known, said(service, status, at)).await;
        }
    }

    /// So many payloads went this way some hours ago.
    pub async fn history(&self, count: i64, journey: Journey) {
        for n in 0..count {
            let from = self.ago(3 * 3_600 + n);
            let request = format!("{}-{}-{n}", journey.len(), journey[0].0);
            self.go(&known(request), journey, from).await;
        }
    }

    /// Learns all there is to learn, as of some seconds from now.
    pub async fn learn_in(&self, seconds: i64) {
        let now = Utc::now() + TimeDelta::seconds(seconds);
        let mut session = self.pool().acquire().await.unwrap();
        for due in hours::due(&mut session, now).await.unwrap() {
            hours::learn(&mut session, due, now).await.unwrap();
        }
        rollup::roll_up(&mut session, now).await.unwrap();
        failures::refresh(&mut session, now).await.unwrap();
    }

    pub async fn learn(&self) {
        self.learn_in(0).await;
    }

    pub async fn explain(&self, id: &str) -> Value {
        self.api.json(&format!("/explain/{id}")).await
    }

    pub async fn sql(&self, statement: &'static str) {
        raw_sql(statement).execute(self.pool()).await.unwrap();
    }
}

/// Whether a number is what it should be, within the width of a bucket.
pub fn is_near(value: &Value, truth: f64) -> bool {
    let value = value.as_f64().unwrap();
    (value - truth).abs() <= truth / 8.0 + 0.001
}
