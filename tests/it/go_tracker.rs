//! A Go tracker's database, and what can be compared about any.

use sea_orm::sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, query, query_scalar, raw_sql,
};

use crate::support::{self, TestDatabase};

const SCHEMA: &str = include_str!("fixtures/go_tracker.sql");

/// A Go tracker's database without rows or partitions.
pub async fn empty() -> TestDatabase {
    let database = support::empty_database().await;
    raw_sql(SCHEMA).execute(&database.pool).await.unwrap();
    database
}

/// Three days from 2026-03-05 on, none on the 8th, when New York's summer begins, then two more.
const DAYS: [&str; 5] = [
    "2026-03-05",
    "2026-03-06",
    "2026-03-07",
    "2026-03-09",
    "2026-03-10",
];

/// One with `payloads` payloads of three statuses each, whose job ran in `zone` with a gap.
pub async fn with_rows(zone: &str, payloads: u32) -> TestDatabase {
    with_days(zone, &DAYS, payloads).await
}

/// One with `payloads` payloads of three statuses each, whose job ran in `zone` on these days.
/// Host ids and request ids come in every form that producers send.
pub async fn with_days(zone: &str, days: &[&str], payloads: u32) -> TestDatabase {
    let database = empty().await;
    let mut session = support::connect(&database.config()).await.unwrap();
    let set_zone = format!(
        "SET TimeZone = '{zone}'; ALTER DATABASE {} SET TimeZone = '{zone}'",
        database.config().name
    );
    run(&mut session, &set_zone).await;
    for day in days {
        let call =
            format!("SELECT create_partition('{day}'::date, '{day}'::date + interval '1 day')");
        run(&mut session, &call).await;
    }
    run(&mut session, &rows(days, payloads)).await;
    session.close().await.unwrap();
    database
}

async fn run(session: &mut PgConnection, sql: &str) {
    raw_sql(AssertSqlSafe(sql)).execute(session).await.unwrap();
}

/// Host ids by the payload's number: dashed, upper-case without dashes, other text, '', nil, NULL.
fn rows(days: &[&str], payloads: u32) -> String {
    format!(
        "INSERT INTO services (name) VALUES ('ingress'), ('puptoo');
         INSERT INTO sources (name) VALUES ('insights-client');
         INSERT INTO statuses (name) VALUES ('received'), ('success');
         INSERT INTO payloads (request_id, account, inventory_id, system_id, created_at, org_id)
         SELECT CASE n % 3 WHEN 0 THEN md5(n::text) WHEN 1 THEN md5(n::text)::uuid::text
                    ELSE upper(md5(n::text)) END,
                CASE WHEN n % 2 = 0 THEN '' ELSE (n % 50)::text END,
                CASE n % 6 WHEN 0 THEN md5('host' || n)::uuid::text WHEN 1 THEN upper(md5('host' || n))
                    WHEN 2 THEN 'Host-' || n WHEN 3 THEN ''
                    WHEN 4 THEN '00000000-0000-0000-0000-000000000000' END,
                CASE WHEN n % 4 = 0 THEN 'system-' || n % 10 ELSE '' END,
                timestamptz '2026-03-05 12:00+00', (n % 100)::text
         FROM generate_series(1, {payloads}) AS n;
         INSERT INTO payload_statuses
             (payload_id, service_id, source_id, status_id, status_msg, date, created_at)
         SELECT id, 1 + id % 2, CASE WHEN step = 1 THEN 1 END, 1 + step % 2,
                CASE WHEN step = 2 THEN 'a' || chr(10) || 'traceback' ELSE '' END,
                day + step * interval '1 hour', day + step * interval '1 hour 1 second'
         FROM payloads CROSS JOIN generate_series(0, 2) AS step
         CROSS JOIN LATERAL (
             SELECT (ARRAY['{}'])[1 + id % {}]::timestamptz AS day) AS days",
        days.join("', '"),
        days.len()
    )
}

/// A fingerprint of every row of the Go tracker's columns, with the number of rows in it.
pub async fn rows_fingerprint(pool: &PgPool) -> Vec<String> {
    const TABLES: [&str; 5] = [
        "(id, request_id, account, inventory_id, system_id, created_at, org_id) FROM payloads",
        "(id, payload_id, service_id, source_id, status_id, status_msg, date, created_at, \
         tableoid::regclass) FROM payload_statuses",
        "(id, name) FROM services",
        "(id, name) FROM sources",
        "(id, name) FROM statuses",
    ];
    let mut fingerprints = Vec::new();
    for table in TABLES {
        let (columns, from) = table.split_once(" FROM ").unwrap();
        let sql = format!(
            "SELECT format('%s %s %s', '{from}', count(*), \
             md5(string_agg(ROW{columns}::text, ' ' ORDER BY id))) FROM {from}"
        );
        fingerprints.push(
            query_scalar(AssertSqlSafe(sql))
                .fetch_one(pool)
                .await
                .unwrap(),
        );
    }
    fingerprints
}

/// The schema as lines to compare. Indexes of partitions go without their names and with what they
/// are part of: PostgreSQL numbers names that it finds taken.
pub async fn schema(pool: &PgPool) -> Vec<String> {
    const SCHEMA: &str = "
        WITH tables AS (
            SELECT oid, relname, relispartition, relkind, reloptions FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
              AND relname <> 'seaql_migrations'
        )
        SELECT format('table %s %s %s', relname, relkind, reloptions) FROM tables
        UNION ALL
        SELECT format('column %s.%s %s %s %s', relname, attname, format_type(atttypid, atttypmod),
            attnotnull, pg_get_expr(adbin, adrelid))
        FROM tables JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        UNION ALL
        SELECT format('constraint %s %s %s %s', relname, conname, convalidated, pg_get_constraintdef(pg_constraint.oid))
        FROM tables JOIN pg_constraint ON conrelid = tables.oid WHERE contype <> 'n'
        UNION ALL
        SELECT format('index %s %s valid %s unique %s of %s', relname,
            CASE WHEN relispartition THEN split_part(pg_get_indexdef(indexrelid), ' USING ', 2)
                ELSE pg_get_indexdef(indexrelid) END,
            indisvalid, indisunique, inhparent::regclass)
        FROM tables JOIN pg_index ON indrelid = oid LEFT JOIN pg_inherits ON inhrelid = indexrelid
        UNION ALL
        SELECT format('function %s', pg_get_functiondef(oid)) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('trigger %s', pg_get_triggerdef(pg_trigger.oid))
        FROM tables JOIN pg_trigger ON tgrelid = tables.oid WHERE NOT tgisinternal
        UNION ALL
        SELECT format('sequence %s %s owned by %s.%s', seqrelid::regclass, seqtypid::regtype,
            refobjid::regclass, attname)
        FROM pg_sequence JOIN pg_depend ON objid = seqrelid AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
        JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
        ORDER BY 1";
    query_scalar(SCHEMA).fetch_all(pool).await.unwrap()
}

/// One message as the Go tracker stores it: payload and status in a transaction each.
pub async fn store_message(pool: &PgPool, request_id: &str, inventory_id: &str) {
    let payload: i64 = query_scalar(
        "INSERT INTO payloads (request_id, account, inventory_id, system_id, created_at, org_id)
         VALUES ($1, '', $2, '', '2026-03-10 12:00+00', '1')
         ON CONFLICT (request_id)
         DO UPDATE SET request_id = excluded.request_id, inventory_id = excluded.inventory_id
         RETURNING id",
    )
    .bind(request_id)
    .bind(inventory_id)
    .fetch_one(pool)
    .await
    .unwrap();
    query(
        "INSERT INTO payload_statuses (payload_id, service_id, status_id, date, created_at)
         VALUES ($1, 1, 1, '2026-03-10 12:00+00', now())",
    )
    .bind(payload)
    .execute(pool)
    .await
    .unwrap();
}
