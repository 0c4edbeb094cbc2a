//! Payloads that were there before: what a database looks like after some weeks.

use sea_orm::sqlx::{self, AssertSqlSafe, Executor, PgPool};

use super::database::Database;
use crate::cli::Failure;

/// Random request ids, as uploads have: their index is then hit all over.
const PAYLOADS: &str = "
INSERT INTO payloads (request_id, account, org_id, inventory_id, created_at, first_day, last_day)
SELECT md5('request' || n), (n % 9999991)::text, (n % 99999989)::text, md5('host' || n)::uuid::text,
       at, (at AT TIME ZONE 'UTC')::date, (at AT TIME ZONE 'UTC')::date
  FROM generate_series(1, $1::bigint) AS n,
       LATERAL (SELECT now() - interval '7 days' * (1 - n / ($1::float8 + 1)) AS at) AS a";

const PAYLOAD_IDS: &str = "
INSERT INTO payload_ids (kind, value, payload_id) SELECT 1, inventory_id, id FROM payloads";

/// Constraints first: an index that belongs to one goes and comes with it.
const INDEXES: &str = "
SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname) END,
       CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname,
                        pg_get_constraintdef(c.oid)) END
  FROM pg_index AS i
  LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
 WHERE i.indrelid IN ('payloads'::regclass, 'payload_ids'::regclass)
 ORDER BY c.conname IS NULL";

/// Puts `count` payloads there, one host each, their dates spread over the last week. They have
/// no statuses: nothing that is measured reads those.
///
/// Indexes are built afterwards: each random insert into one that is larger than the server's memory
/// would write a page of it to the log.
///
/// # Errors
///
/// What the database answers.
pub(super) async fn fill(database: &Database, count: u64) -> Result<(), Failure> {
    let pool = &database.pool;
    let indexes: Vec<(String, String)> = sqlx::query_as(INDEXES).fetch_all(pool).await?;
    for (drop, _) in &indexes {
        execute(pool, drop).await?;
    }
    sqlx::query(PAYLOADS)
        .bind(count as i64)
        .execute(pool)
        .await?;
    pool.execute(PAYLOAD_IDS).await?;
    for (_, create) in &indexes {
        execute(pool, &format!("SET maintenance_work_mem = '1GB'; {create}")).await?;
    }
    Ok(())
}

/// Statements that the database itself has put together.
async fn execute(pool: &PgPool, sql: &str) -> Result<(), sqlx::Error> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    pool.execute(sql).await.map(drop)
}
