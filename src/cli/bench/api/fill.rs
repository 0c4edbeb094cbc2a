//! A database as it is after weeks of service.

mod counted;

use chrono::Utc;
use sea_orm::sqlx::{self, PgPool};

use crate::cli::Failure;
use crate::cli::bench::database::Database;
use crate::store::learning::{failures, hours, rollup};

/// What each payload goes through.
const STATUSES_EACH: u64 = 5;

/// Payloads that are asked for in turns.
const SAMPLE: i64 = 10_000;

const DAYS: &str = "
SELECT create_partition(day, day + interval '1 day')
  FROM generate_series(date_trunc('day', now() - make_interval(days => $1 - 1)),
                       date_trunc('day', now()), interval '1 day') AS day";

const NAMES: [&str; 3] = [
    "INSERT INTO services (name) SELECT 'service-' || n FROM generate_series(0, 19) AS n",
    "INSERT INTO sources (name) SELECT 'source-' || n FROM generate_series(0, 4) AS n",
    "INSERT INTO statuses (name) VALUES ('received'), ('processing'), ('success'), ('error')",
];

/// The newest last, as they would have come.
const PAYLOADS: &str = "
INSERT INTO payloads (request_id, account, org_id, inventory_id, system_id, created_at, first_day, last_day)
SELECT md5('request' || n), (n % 997)::text, (n % 1009)::text, md5('host' || n / 2)::uuid::text,
       md5('system' || n / 2)::uuid::text, at, (at AT TIME ZONE 'UTC')::date, (at AT TIME ZONE 'UTC')::date
  FROM generate_series(1, $1::bigint) AS n,
       LATERAL (SELECT least(date_trunc('day', t) + interval '23:59:50', t) AS at
                  FROM (SELECT now() - interval '1 minute'
                             - make_interval(secs => ($2 - 1) * 86400.0 * (1 - n / $1::float8)) AS t) AS t) AS a";

const PAYLOAD_IDS: &str = "
INSERT INTO payload_ids (kind, value, payload_id)
SELECT 1, inventory_id, id FROM payloads UNION ALL SELECT 2, system_id, id FROM payloads";

/// Three services a payload; one payload in fifty fails.
const STATUSES: &str = "
INSERT INTO payload_statuses (payload_id, service_id, source_id, status_id, status_msg, date, created_at)
SELECT p.id, v.id, CASE WHEN step > 1 THEN 1 + p.id % 5 END, t.id,
       CASE t.name WHEN 'error' THEN 'no archive for ' || p.request_id END,
       p.created_at + step * interval '1 s', p.created_at + step * interval '1 s'
  FROM payloads AS p, generate_series(0, 4) AS step, services AS v, statuses AS t
 WHERE v.name = 'service-' || (p.id % 7 + step / 2)
   AND t.name = CASE WHEN step % 2 = 0 AND step < 4 THEN 'received'
                     WHEN step = 4 AND p.id % 50 = 0 THEN 'error' ELSE 'success' END
 ORDER BY p.id, step";

const KEYS: &str = "
SELECT request_id, inventory_id, system_id, org_id FROM payloads ORDER BY md5(id::text) LIMIT $1";

/// What can be asked for by name.
#[derive(Debug)]
pub struct Keys {
    payloads: Vec<Key>,
    rejects: Vec<i64>,
}

/// What a payload is asked for by.
#[derive(Debug)]
pub struct Key {
    pub request_id: String,
    pub inventory_id: String,
    pub system_id: String,
    pub org_id: String,
}

impl Keys {
    /// One of the payloads, another one for each number.
    pub fn payload(&self, number: usize) -> &Key {
        &self.payloads[number % self.payloads.len()]
    }

    /// The same of the rejects.
    pub fn reject(&self, number: usize) -> i64 {
        self.rejects[number % self.rejects.len()]
    }
}

/// Puts `statuses` there, five a payload, spread over the last `days`, with rejects and what was counted of
/// both, and what explanations rest on; gives some of the payloads and rejects.
///
/// # Errors
///
/// What the database answers.
pub async fn fill(database: &Database, statuses: u64, days: u32) -> Result<Keys, Failure> {
    let pool = &database.pool;
    sqlx::query(DAYS).bind(days as i32).execute(pool).await?;
    for names in NAMES {
        sqlx::query(names).execute(pool).await?;
    }
    sqlx::query(PAYLOADS)
        .bind((statuses / STATUSES_EACH) as i64)
        .bind(f64::from(days))
        .execute(pool)
        .await?;
    sqlx::query(PAYLOAD_IDS).execute(pool).await?;
    sqlx::query(STATUSES).execute(pool).await?;
    counted::fill(pool).await?;
    database.settle().await?;
    learn(pool).await?;
    Ok(Keys {
        payloads: payloads(pool).await?,
        rejects: counted::some_rejects(pool).await?,
    })
}

/// What pt-consumer would have learnt by now.
async fn learn(pool: &PgPool) -> Result<(), Failure> {
    let mut session = pool.acquire().await?;
    for hour in hours::due(&mut session, Utc::now()).await? {
        hours::learn(&mut session, hour, Utc::now()).await?;
    }
    rollup::roll_up(&mut session, Utc::now()).await?;
    failures::refresh(&mut session, Utc::now()).await?;
    Ok(())
}

async fn payloads(pool: &PgPool) -> Result<Vec<Key>, Failure> {
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as(KEYS).bind(SAMPLE).fetch_all(pool).await?;
    let key = |(request_id, inventory_id, system_id, org_id)| Key {
        request_id,
        inventory_id,
        system_id,
        org_id,
    };
    Ok(rows.into_iter().map(key).collect())
}
