//! The SQL of a batch's transaction. Arrays and `unnest`, so that a batch of any size is one
//! round trip a table.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, PgTransaction};

use super::batch::{Lane, Rejected};
use super::dictionary::NameIds;
use super::fold::Payload;

/// One row of `payload_statuses`.
#[derive(Debug)]
pub struct StatusRow<'a> {
    pub payload_id: i64,
    pub names: NameIds,
    pub status_msg: Option<&'a str>,
    pub date: DateTime<Utc>,
    pub lane: Lane,
    pub offset: i64,
}

const SHARE_TABLES: &str = "
LOCK TABLE ONLY payloads, ONLY payload_ids, ONLY payload_statuses, ONLY rejects IN ROW EXCLUSIVE MODE";

/// An empty `first_day` means that statuses may lie anywhere; it stays so, or a lookup would no
/// longer find the older ones.
const UPSERT_PAYLOADS: &str = "
INSERT INTO payloads AS p
       (request_id, account, org_id, inventory_id, system_id, created_at, first_day, last_day)
SELECT request_id, account, org_id, inventory_id, system_id, first,
       (first AT TIME ZONE 'UTC')::date, (last AT TIME ZONE 'UTC')::date
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
              $6::timestamptz[], $7::timestamptz[])
       AS n(request_id, account, org_id, inventory_id, system_id, first, last)
ON CONFLICT (request_id) DO UPDATE SET
       account = coalesce(excluded.account, p.account),
       org_id = coalesce(excluded.org_id, p.org_id),
       inventory_id = coalesce(excluded.inventory_id, p.inventory_id),
       system_id = coalesce(excluded.system_id, p.system_id),
       created_at = least(p.created_at, excluded.created_at),
       first_day = CASE WHEN p.first_day IS NOT NULL THEN least(p.first_day, excluded.first_day) END,
       last_day = CASE WHEN p.last_day IS NOT NULL THEN greatest(p.last_day, excluded.last_day) END
 WHERE excluded.account <> coalesce(p.account, '')
    OR excluded.org_id <> coalesce(p.org_id, '')
    OR excluded.inventory_id <> coalesce(p.inventory_id, '')
    OR excluded.system_id <> coalesce(p.system_id, '')
    OR excluded.created_at < p.created_at
    OR excluded.first_day < p.first_day
    OR excluded.last_day > p.last_day
RETURNING id, request_id";

const SELECT_PAYLOADS: &str = "SELECT id, request_id FROM payloads WHERE request_id = ANY($1)";

const INSERT_HOST_IDS: &str = "
INSERT INTO payload_ids (payload_id, kind, value)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[])
ON CONFLICT DO NOTHING";

const INSERT_STATUSES: &str = "
INSERT INTO payload_statuses
       (payload_id, service_id, source_id, status_id, status_msg, date,
        origin_partition, origin_offset)
SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::text[], $6::timestamptz[],
                     $7::int[], $8::bigint[])";

const INSERT_REJECTS: &str = "
INSERT INTO rejects
       (topic, partition, \"offset\", key, value, reason, detail, service, request_id,
        sqlstate, produced_at)
SELECT $1, r.* FROM unnest($2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::text[],
                           $7::text[], $8::text[], $9::text[], $10::text[],
                           $11::timestamptz[]) AS r";

/// Takes the locks on tables that writing a batch takes.
pub async fn share_tables(transaction: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(SHARE_TABLES)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Inserts or updates payloads and gives the ids of all; of fewer if one vanished meanwhile.
///
/// Two statements, not one with a CTE: a CTE reads with the snapshot of its start and can miss
/// a row that another writer inserted meanwhile.
pub async fn put_payloads(
    transaction: &mut PgTransaction<'_>,
    payloads: &[Payload<'_>],
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let mut ids = upsert_payloads(transaction, payloads).await?;
    let unchanged: Vec<&str> = payloads
        .iter()
        .map(|payload| payload.request_id)
        .filter(|request_id| !ids.contains_key(*request_id))
        .collect();
    if !unchanged.is_empty() {
        ids.extend(payload_ids(transaction, &unchanged).await?);
    }
    Ok(ids)
}

/// Inserts or updates payloads; the ids of those that were there and did not change are not
/// among the answer.
async fn upsert_payloads<'a>(
    transaction: &mut PgTransaction<'_>,
    payloads: &[Payload<'a>],
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let of =
        |text: fn(&Payload<'a>) -> Option<&'a str>| payloads.iter().map(text).collect::<Vec<_>>();
    let rows: Vec<(i64, String)> = sqlx::query_as(UPSERT_PAYLOADS)
        .bind(of(|payload| Some(payload.request_id)))
        .bind(of(|payload| payload.account))
        .bind(of(|payload| payload.org_id))
        .bind(of(|payload| payload.inventory_id))
        .bind(of(|payload| payload.system_id))
        .bind(payloads.iter().map(|p| p.first).collect::<Vec<_>>())
        .bind(payloads.iter().map(|p| p.last).collect::<Vec<_>>())
        .fetch_all(&mut **transaction)
        .await?;
    Ok(rows.into_iter().map(|(id, key)| (key, id)).collect())
}

/// The ids of payloads that are there.
async fn payload_ids(
    transaction: &mut PgTransaction<'_>,
    request_ids: &[&str],
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(SELECT_PAYLOADS)
        .bind(request_ids)
        .fetch_all(&mut **transaction)
        .await?;
    Ok(rows.into_iter().map(|(id, key)| (key, id)).collect())
}

/// Remembers every host id that was named for a payload; `ids` has an id for each payload.
pub async fn insert_host_ids(
    transaction: &mut PgTransaction<'_>,
    payloads: &[Payload<'_>],
    ids: &HashMap<String, i64>,
) -> Result<(), sqlx::Error> {
    let mut columns: (Vec<i64>, Vec<i16>, Vec<&str>) = Default::default();
    for payload in payloads {
        for (kind, value) in &payload.host_ids {
            columns.0.push(ids[payload.request_id]);
            columns.1.push(*kind as i16);
            columns.2.push(value);
        }
    }
    if columns.0.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT_HOST_IDS)
        .bind(columns.0)
        .bind(columns.1)
        .bind(columns.2)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Inserts statuses; their ids grow in the order of `rows`.
pub async fn insert_statuses(
    transaction: &mut PgTransaction<'_>,
    rows: &[StatusRow<'_>],
) -> Result<(), sqlx::Error> {
    sqlx::query(INSERT_STATUSES)
        .bind(rows.iter().map(|row| row.payload_id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.names.service).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.names.source).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.names.status).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.status_msg).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.date).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.lane).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.offset).collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Stores rejects, each whole.
pub async fn insert_rejects(
    transaction: &mut PgTransaction<'_>,
    topic: &str,
    rejected: &[(Lane, &Rejected)],
) -> Result<(), sqlx::Error> {
    let (lanes, rows): (Vec<Lane>, Vec<_>) = rejected.iter().copied().unzip();
    sqlx::query(INSERT_REJECTS)
        .bind(topic)
        .bind(lanes)
        .bind(rows.iter().map(|r| r.offset).collect::<Vec<_>>())
        .bind(
            rows.iter()
                .map(|r| r.raw.key.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.raw.value.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.reject.reason.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.reject.detail.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.reject.service.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.reject.request_id.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.sqlstate.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(rows.iter().map(|r| r.raw.produced_at).collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Each statement with no rows at all.
pub async fn rehearse(transaction: &mut PgTransaction<'_>, topic: &str) -> Result<(), sqlx::Error> {
    share_tables(transaction).await?;
    put_payloads(transaction, &[]).await?;
    sqlx::query(INSERT_HOST_IDS)
        .bind(Vec::<i64>::new())
        .bind(Vec::<i16>::new())
        .bind(Vec::<&str>::new())
        .execute(&mut **transaction)
        .await?;
    insert_statuses(transaction, &[]).await?;
    insert_rejects(transaction, topic, &[]).await
}
