//! What pt-consumer keeps beside payloads: rejects, and what it counted.

use chrono::TimeDelta;
use sea_orm::sqlx::{self, PgPool};

use crate::cli::Failure;
use crate::store::producers::Skew;

/// Rejects that are asked for in turns.
const SAMPLE: i64 = 1_000;

/// One message in a hundred, of those days that rejects are kept for. The last payload always has one.
const REJECTS: &str = "
INSERT INTO rejects (topic, partition, \"offset\", value, reason, detail, service, request_id, produced_at, received_at)
SELECT 'platform.payload-status', id / 20 % 20, id / 5,
       convert_to(json_build_object('service', service, 'source', 'bench', 'account', account, 'request_id', request_id,
           'status', 'received', 'status_msg', 'processing of the payload goes on as planned', 'date', date)::text, 'UTF8'),
       reason, detail, service, request_id, created_at, created_at
  FROM (SELECT *, 'service-' || id % 9 AS service, id / 20 % 3 = 0 AS is_undated FROM payloads) AS p,
       LATERAL (SELECT CASE WHEN is_undated THEN 'yesterday' ELSE created_at::text END AS date,
                       CASE WHEN is_undated THEN 'invalid_date' ELSE 'missing_field' END AS reason,
                       CASE WHEN is_undated THEN 'date \"yesterday\" is not an instant'
                            ELSE 'org_id is missing, null or empty, but it is required' END AS detail) AS why
 WHERE ((SELECT max(id) FROM payloads) - id) % 20 = 0 AND created_at > now() - interval '30 days'
 ORDER BY id";

const REJECT_HOURS: &str = "
INSERT INTO reject_hours (hour, service, reason, count)
SELECT date_trunc('hour', produced_at, 'UTC'), service, reason, count(*) FROM rejects GROUP BY 1, 2, 3";

/// Each service in each hour, judged by now. `$1`: one message of each skew that is met.
const PRODUCER_HOURS: &str = "
INSERT INTO producer_hours (hour, service, messages, skew, missing_org_id, began, unended, duplicates,
                            unknown_statuses, judged_at, stale)
SELECT hour, service, messages,
       ARRAY(SELECT (n * messages + $2 - 1) / $2 FROM unnest($1::text::bigint[]) WITH ORDINALITY AS s(n, bucket)
              ORDER BY bucket),
       missing, began, 0, 0, '{}', now(), false
  FROM (SELECT date_trunc('hour', at, 'UTC') AS hour, service, count(*) AS messages,
               count(*) FILTER (WHERE reason = 'missing_field') AS missing, count(DISTINCT payload_id) AS began
          FROM (SELECT date AS at, name AS service, payload_id, NULL AS reason
                  FROM payload_statuses JOIN services ON services.id = service_id
                 WHERE date > now() - interval '30 days'
                UNION ALL SELECT produced_at, service, NULL, reason FROM rejects) AS messages
         GROUP BY 1, 2) AS hours";

/// All statuses came from 20 partitions.
const OFFSETS: &str = "
INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset, stored, rejected)
SELECT 'platform.payload-status', lane, 0, stored + rejected, stored, rejected
  FROM generate_series(0, 19) AS lane,
       LATERAL (SELECT (n + 19 - lane) / 20 AS stored FROM (SELECT count(*) AS n FROM payload_statuses) AS s) AS s,
       LATERAL (SELECT count(*) AS rejected FROM rejects AS r WHERE r.partition = lane) AS r";

const IDS: &str = "SELECT id FROM rejects ORDER BY md5(id::text) LIMIT $1";

/// To be called when all statuses are there.
///
/// # Errors
///
/// What the database answers.
pub async fn fill(pool: &PgPool) -> Result<(), Failure> {
    sqlx::query(REJECTS).execute(pool).await?;
    sqlx::query(REJECT_HOURS).execute(pool).await?;
    let skew = skew();
    sqlx::query(PRODUCER_HOURS)
        .bind(skew.literal())
        .bind(skew.samples())
        .execute(pool)
        .await?;
    sqlx::query(OFFSETS).execute(pool).await?;
    Ok(())
}

/// Some of the rejects.
///
/// # Errors
///
/// What the database answers.
pub async fn some_rejects(pool: &PgPool) -> Result<Vec<i64>, Failure> {
    let ids = sqlx::query_scalar(IDS).bind(SAMPLE).fetch_all(pool);
    Ok(ids.await?)
}

/// What is usual between a service and Kafka.
fn skew() -> Skew {
    let mut skew = Skew::default();
    for millis in [2, 5, 10, 20, 40, 80, 200, 900] {
        skew.add(TimeDelta::milliseconds(millis));
    }
    skew
}
