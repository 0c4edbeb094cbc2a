//! Rows for the API to read, put in by SQL.

use sea_orm::sqlx::{PgPool, query, query_scalar};

/// A payload; `''` and absent are told apart, as the Go tracker's rows need.
#[derive(Clone, Copy, Default)]
pub struct Payload {
    pub request_id: &'static str,
    pub account: Option<&'static str>,
    pub org_id: Option<&'static str>,
    pub inventory_id: Option<&'static str>,
    pub system_id: Option<&'static str>,
    pub created_at: &'static str,
}

impl Payload {
    pub fn of(request_id: &'static str) -> Self {
        Self {
            request_id,
            created_at: "2026-01-31T08:00:00Z",
            ..Self::default()
        }
    }

    /// Puts it in and gives its id. No days are known of it.
    pub async fn put(self, pool: &PgPool) -> i64 {
        query_scalar(
            "INSERT INTO payloads (request_id, account, org_id, inventory_id, system_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6::timestamptz) RETURNING id",
        )
        .bind(self.request_id)
        .bind(self.account)
        .bind(self.org_id)
        .bind(self.inventory_id)
        .bind(self.system_id)
        .bind(self.created_at)
        .fetch_one(pool)
        .await
        .unwrap()
    }
}

/// A status of the payload with this id.
#[derive(Clone, Copy)]
pub struct Status {
    pub payload: i64,
    pub service: &'static str,
    pub source: Option<&'static str>,
    pub status: &'static str,
    pub status_msg: Option<&'static str>,
    pub date: &'static str,
    pub created_at: &'static str,
}

impl Status {
    pub fn of(
        payload: i64,
        service: &'static str,
        status: &'static str,
        date: &'static str,
    ) -> Self {
        Self {
            payload,
            service,
            source: None,
            status,
            status_msg: None,
            date,
            created_at: date,
        }
    }

    pub fn from(self, source: &'static str) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    pub fn saying(self, status_msg: &'static str) -> Self {
        Self {
            status_msg: Some(status_msg),
            ..self
        }
    }

    pub fn stored(self, created_at: &'static str) -> Self {
        Self { created_at, ..self }
    }

    pub async fn put(self, pool: &PgPool) {
        let service = name("services", self.service, pool).await;
        let status = name("statuses", self.status, pool).await;
        let source = match self.source {
            Some(source) => Some(name("sources", source, pool).await),
            None => None,
        };
        partition(self.date, pool).await;
        query(
            "INSERT INTO payload_statuses (payload_id, service_id, source_id, status_id, status_msg, date, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $7::timestamptz)",
        )
        .bind(self.payload)
        .bind(service)
        .bind(source)
        .bind(status)
        .bind(self.status_msg)
        .bind(self.date)
        .bind(self.created_at)
        .execute(pool)
        .await
        .unwrap();
    }
}

/// Names `host` for a payload, unless its own row did; `kind`: 1 inventory, 2 system.
pub async fn host(payload: i64, kind: i16, host: &str, pool: &PgPool) {
    query("INSERT INTO payload_ids (kind, value, payload_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(kind)
        .bind(host)
        .bind(payload)
        .execute(pool)
        .await
        .unwrap();
}

/// Makes the partition of a day, unless it is there.
pub async fn partition(date: &str, pool: &PgPool) {
    query(
        "SELECT create_partition(day, day + interval '1 day') \
         FROM (SELECT date_trunc('day', $1::timestamptz, 'UTC') AS day) AS days \
         WHERE to_regclass(format('partition_%s_%s', get_date_string(day), get_date_string(day + interval '1 day'))) IS NULL",
    )
    .bind(date)
    .execute(pool)
    .await
    .unwrap();
}

async fn name(table: &'static str, name: &str, pool: &PgPool) -> i32 {
    let (insert, select) = match table {
        "services" => (
            "INSERT INTO services (name) VALUES ($1) ON CONFLICT DO NOTHING",
            "SELECT id FROM services WHERE name = $1",
        ),
        "sources" => (
            "INSERT INTO sources (name) VALUES ($1) ON CONFLICT DO NOTHING",
            "SELECT id FROM sources WHERE name = $1",
        ),
        _ => (
            "INSERT INTO statuses (name) VALUES ($1) ON CONFLICT DO NOTHING",
            "SELECT id FROM statuses WHERE name = $1",
        ),
    };
    query(insert).bind(name).execute(pool).await.unwrap();
    query_scalar(select)
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}
