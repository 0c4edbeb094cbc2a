use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{MigrateError, locks};

/// Whose database it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// None of our tables is there.
    Empty,
    /// The Go tracker's, version 1: can be taken over.
    GoTracker,
    /// Ours, with the steps it has had and those that it lacks, both in order.
    Ours {
        applied: Vec<String>,
        pending: Vec<String>,
    },
}

const OLDEST_SERVER: i32 = 140_000;

/// Tables that are neither the Go tracker's nor could come from anybody but us.
const OURS_ALONE: [&str; 24] = [
    "payload_ids",
    "consumer_offsets",
    "rejects",
    "host_ids_progress",
    "redrives",
    "redriven_counts",
    "producer_hours",
    "reject_hours",
    "expired_partitions",
    "ownerless_ids",
    "odd_offsets",
    "learnt_hours",
    "step_hours",
    "follower_hours",
    "learnt",
    "step_statistics",
    "follower_statistics",
    "failures",
    "failure_minutes",
    "failure_counts",
    "failure_hours",
    "payload_marks",
    "payload_walk",
    "open_payloads",
];

/// The Go tracker's tables, section 5 of the contract: columns with their types.
const GO_TRACKER: [(&str, &[(&str, &str)]); 5] = [
    (
        "payloads",
        &[
            ("id", "bigint"),
            ("request_id", "character varying"),
            ("account", "character varying"),
            ("inventory_id", "character varying"),
            ("system_id", "character varying"),
            ("created_at", "timestamp with time zone"),
            ("org_id", "character varying"),
        ],
    ),
    (
        "payload_statuses",
        &[
            ("id", "bigint"),
            ("payload_id", "bigint"),
            ("service_id", "integer"),
            ("source_id", "integer"),
            ("status_id", "integer"),
            ("status_msg", "character varying"),
            ("date", "timestamp with time zone"),
            ("created_at", "timestamp with time zone"),
        ],
    ),
    ("services", NAME),
    ("sources", NAME),
    ("statuses", NAME),
];

const NAME: &[(&str, &str)] = &[("id", "integer"), ("name", "character varying")];

/// Looks at the catalogue and changes nothing.
pub(super) async fn inspect(
    db: &impl ConnectionTrait,
    known: &[String],
) -> Result<State, MigrateError> {
    check_server(db).await?;
    let recorded = recorded(db).await?;
    if !recorded.is_empty() {
        return ours(recorded, known);
    }
    let columns = columns(db).await?;
    let version = go_tracker_version(db).await?;
    if columns.is_empty() && version.is_none() {
        return Ok(State::Empty);
    }
    check_shape(db, &columns).await?;
    match version.as_deref() {
        Some("version 1, dirty false") => Ok(State::GoTracker),
        other => Err(MigrateError::GoTrackerVersion {
            found: other
                .unwrap_or("nothing: there is no such table")
                .to_owned(),
        }),
    }
}

async fn check_server(db: &impl ConnectionTrait) -> Result<(), MigrateError> {
    let number: i32 =
        locks::scalar(db, "SELECT current_setting('server_version_num')::integer").await?;
    if number >= OLDEST_SERVER {
        return Ok(());
    }
    let found = locks::scalar(db, "SHOW server_version").await?;
    Err(MigrateError::ServerTooOld { found })
}

async fn strings(db: &impl ConnectionTrait, sql: &str) -> Result<Vec<String>, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Whether there is such a table.
pub(super) async fn exists(db: &impl ConnectionTrait, table: &str) -> Result<bool, DbErr> {
    locks::scalar(
        db,
        &format!("SELECT to_regclass('public.{table}') IS NOT NULL"),
    )
    .await
}

/// The steps that sea-orm-migration has recorded.
async fn recorded(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    if !exists(db, "seaql_migrations").await? {
        return Ok(Vec::new());
    }
    strings(db, "SELECT version FROM public.seaql_migrations").await
}

fn ours(recorded: Vec<String>, known: &[String]) -> Result<State, MigrateError> {
    if let Some(name) = recorded.iter().find(|name| !known.contains(name)) {
        return Err(MigrateError::UnknownStep { name: name.clone() });
    }
    let (applied, pending) = known
        .iter()
        .cloned()
        .partition(|name| recorded.contains(name));
    Ok(State::Ours { applied, pending })
}

/// What golang-migrate has noted, as one phrase; none without its table.
async fn go_tracker_version(db: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    if !exists(db, "schema_migrations").await? {
        return Ok(None);
    }
    // As text through JSON, so that a table of another shape is something to tell, not an error.
    let sql = "SELECT coalesce(string_agg(format('version %s, dirty %s', \
               coalesce(to_jsonb(row) ->> 'version', '(none)'), \
               coalesce(to_jsonb(row) ->> 'dirty', '(none)')), '; '), 'no row') \
               FROM public.schema_migrations AS row";
    locks::scalar(db, sql).await.map(Some)
}

/// Columns of every table that bears one of our names, by table and name, with their types.
async fn columns(
    db: &impl ConnectionTrait,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, DbErr> {
    let names: Vec<&str> = GO_TRACKER
        .iter()
        .map(|(table, _)| *table)
        .chain(OURS_ALONE)
        .collect();
    let sql = format!(
        "SELECT relname::text, attname::text, format_type(atttypid, NULL) \
         FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid \
         WHERE relnamespace = 'public'::regnamespace AND relname IN ('{}') \
           AND attnum > 0 AND NOT attisdropped",
        names.join("', '")
    );
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in db.query_all_raw(statement).await? {
        let table = tables.entry(row.try_get_by_index(0)?).or_default();
        table.insert(row.try_get_by_index(1)?, row.try_get_by_index(2)?);
    }
    Ok(tables)
}

async fn check_shape(
    db: &impl ConnectionTrait,
    tables: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<(), MigrateError> {
    if let Some(difference) = difference(tables) {
        return Err(MigrateError::Unknown { difference });
    }
    let partitioned_by: Option<String> = locks::scalar(
        db,
        "SELECT pg_get_partkeydef('public.payload_statuses'::regclass)",
    )
    .await?;
    match partitioned_by.as_deref() {
        Some("RANGE (date)") => Ok(()),
        other => Err(MigrateError::Unknown {
            difference: format!(
                "table payload_statuses is partitioned by {}, not by RANGE (date)",
                other.unwrap_or("nothing")
            ),
        }),
    }
}

/// The first thing in which the tables are not the Go tracker's. More columns than it had are
/// nobody's harm.
fn difference(tables: &BTreeMap<String, BTreeMap<String, String>>) -> Option<String> {
    for table in OURS_ALONE {
        if tables.contains_key(table) {
            return Some(format!(
                "table {table} is there, but no record of our migrations"
            ));
        }
    }
    for (table, columns) in GO_TRACKER {
        let Some(found) = tables.get(table) else {
            return Some(format!("table {table} is missing beside the others"));
        };
        for (column, wanted) in columns {
            match found.get(*column) {
                Some(kind) if kind == wanted => {}
                Some(kind) => {
                    return Some(format!("column {table}.{column} is {kind}, not {wanted}"));
                }
                None => return Some(format!("column {table}.{column} is missing")),
            }
        }
    }
    None
}
