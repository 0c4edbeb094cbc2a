//! A Go tracker's database is taken over in place and given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use payload_tracker::store::migrate::{self, DropRejects, State};
use payload_tracker::store::session::{Role, connect};
use sea_orm::DatabaseConnection;
use sea_orm::sqlx::{PgPool, query, query_as, query_scalar, raw_sql};

use crate::go_tracker;
use crate::support::{self, TestDatabase};

mod interrupted;

fn session(database: &TestDatabase) -> DatabaseConnection {
    connect(&database.config(), Role::Migrate)
}

async fn up(database: &TestDatabase) -> Vec<String> {
    migrate::up(&session(database)).await.unwrap()
}

async fn down(database: &TestDatabase) -> Vec<String> {
    migrate::down(&session(database), DropRejects::No)
        .await
        .unwrap()
}

async fn small() -> TestDatabase {
    go_tracker::with_days("America/New_York", &["2026-03-05", "2026-03-07"], 100).await
}

/// The schema of a taken-over database without the partitions that the job made.
fn without_partitions(schema: Vec<String>) -> Vec<String> {
    let of_partition = |line: &String| line.contains(" partition_");
    schema
        .into_iter()
        .filter(|line| !of_partition(line))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_over_database_and_a_new_one_have_the_same_schema() {
    let taken_over = go_tracker::with_rows("America/New_York", 100).await;
    let new = support::empty_database().await;
    up(&taken_over).await;
    up(&new).await;
    assert_eq!(
        without_partitions(go_tracker::schema(&taken_over.pool).await),
        go_tracker::schema(&new.pool).await
    );

    // Partitions of before have the columns and indexes that a partition made now has.
    query("SELECT create_partition('2026-04-01', '2026-04-02')")
        .execute(&taken_over.pool)
        .await
        .unwrap();
    let schema = go_tracker::schema(&taken_over.pool).await;
    let of = |name: &str| -> Vec<String> {
        let lines = schema.iter().filter(|line| line.contains(name));
        lines.map(|line| line.replace(name, "partition")).collect()
    };
    assert_eq!(
        of("partition_20260305_20260306"),
        of("partition_20260401_20260402")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_changes_on_the_way_up_and_down_and_up() {
    for zone in ["America/New_York", "Asia/Tokyo", "UTC"] {
        let database = go_tracker::with_rows(zone, 5_000).await;
        let rows = go_tracker::rows_fingerprint(&database.pool).await;
        let schema = go_tracker::schema(&database.pool).await;
        up(&database).await;
        assert_eq!(go_tracker::rows_fingerprint(&database.pool).await, rows);
        let ids = host_ids(&database.pool).await;
        down(&database).await;
        assert_eq!(go_tracker::rows_fingerprint(&database.pool).await, rows);
        assert_eq!(go_tracker::schema(&database.pool).await, schema);
        assert_eq!(
            migrate::status(&session(&database)).await.unwrap(),
            State::GoTracker
        );
        up(&database).await;
        assert_eq!(go_tracker::rows_fingerprint(&database.pool).await, rows);
        assert_eq!(host_ids(&database.pool).await, ids);
    }
}

async fn host_ids(pool: &PgPool) -> Vec<(i64, i16, String)> {
    query_as("SELECT payload_id, kind, value FROM payload_ids ORDER BY 1, 2, 3")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn host_ids_are_found_in_canonical_form() {
    let database = go_tracker::with_rows("America/New_York", 12).await;
    up(&database).await;
    let md5: Vec<String> =
        query_scalar("SELECT md5('host' || n)::uuid::text FROM generate_series(0, 12) AS n")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    let mut expected = Vec::new();
    for id in 1..=12_i64 {
        let number = usize::try_from(id).unwrap();
        match id % 6 {
            0 | 1 => expected.push((id, 1, md5[number].clone())),
            2 => expected.push((id, 1, format!("Host-{id}"))),
            _ => {}
        }
        if id % 4 == 0 {
            expected.push((id, 2, format!("system-{}", id % 10)));
        }
    }
    assert_eq!(host_ids(&database.pool).await, expected);
}

/// Installations differ: older ones were made by another migration, some were restored by hand.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_installation_lacks_is_made_good() {
    let [usual, other] = [small().await, small().await];
    raw_sql(
        "ALTER TABLE payload_statuses DROP CONSTRAINT payload_statuses_source_id_fkey;
         ALTER TABLE payload_statuses RENAME CONSTRAINT payload_statuses_status_id_fkey TO other_name;
         ALTER TABLE payload_statuses ALTER created_at DROP DEFAULT, ALTER id DROP DEFAULT;
         ALTER TABLE ONLY payload_statuses ALTER date DROP DEFAULT;
         ALTER TABLE payloads ALTER created_at DROP DEFAULT;
         ALTER TABLE services DROP CONSTRAINT idx_services_name;
         ALTER SEQUENCE payloads_id_seq AS integer;
         DROP INDEX payloads_created_at_idx, payloads_id_idx, services_id_idx;
         DROP INDEX payload_statuses_status_id_date_idx, payload_statuses_service_id_date_idx;
         DROP INDEX partition_20260305_20260306_payload_id_idx, partition_20260305_20260306_id_idx;
         CREATE INDEX somebody_s_own ON partition_20260305_20260306 (status_msg)",
    )
    .execute(&other.pool)
    .await
    .unwrap();
    up(&usual).await;
    up(&other).await;
    let mut schema = go_tracker::schema(&other.pool).await;
    let all = schema.len();
    schema.retain(|line| !line.contains("(status_msg)"));
    assert_eq!(
        schema.len(),
        all - 1,
        "an index of somebody's own is left alone"
    );
    assert_eq!(schema, go_tracker::schema(&usual.pool).await);
}

/// 50,000 payloads and 150,000 statuses: more than one range of host ids.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_taken_over_while_the_go_tracker_writes() {
    let database = go_tracker::with_rows("America/New_York", 50_000).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| tokio::spawn(write_until(database.pool.clone(), writer, stop.clone())))
        .collect();
    up(&database).await;
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        let (messages, slowest) = writer.await.unwrap();
        assert!(messages > 0);
        assert!(
            slowest < Duration::from_secs(5),
            "a message took {slowest:?}"
        );
        written += messages;
    }

    let statuses: i64 = query_scalar("SELECT count(*) FROM payload_statuses")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(statuses, 150_000 + written);
    let missing: i64 = query_scalar(
        "SELECT count(*) FROM payloads WHERE host_id(inventory_id) IS NOT NULL AND NOT EXISTS (
             SELECT FROM payload_ids
             WHERE payload_id = id AND kind = 1 AND value = host_id(inventory_id))",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(missing, 0);
    let hosts: i64 = query_scalar("SELECT count(*) FROM payload_ids WHERE value LIKE 'written-%'")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert!(hosts > 0);
}

/// Writes as the Go tracker does; gives the number of messages and the longest that one took.
async fn write_until(pool: PgPool, writer: u32, stop: Arc<AtomicBool>) -> (i64, Duration) {
    let (mut messages, mut slowest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        let request_id = format!("{writer:016x}{:016x}", messages / 2);
        go_tracker::store_message(&pool, &request_id, &format!("written-{writer}-{messages}"))
            .await;
        slowest = slowest.max(start.elapsed());
        messages += 1;
    }
    (messages, slowest)
}

/// Consumers of the Go tracker go on for a while when a deployment rolls.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_go_tracker_writes_afterwards_is_found() {
    let database = go_tracker::with_rows("UTC", 10).await;
    up(&database).await;
    let request_id = "a".repeat(32);
    query(
        "INSERT INTO payloads (request_id, inventory_id, first_day, last_day)
         VALUES ($1, 'ours', '2026-03-05', '2026-03-05')",
    )
    .bind(&request_id)
    .execute(&database.pool)
    .await
    .unwrap();
    go_tracker::store_message(&database.pool, &request_id, "FIRST").await;
    go_tracker::store_message(&database.pool, &request_id, &"AB".repeat(16)).await;

    let (id, first_day, last_day): (i64, Option<String>, Option<String>) =
        query_as("SELECT id, first_day::text, last_day::text FROM payloads WHERE request_id = $1")
            .bind(&request_id)
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert_eq!(
        (first_day, last_day),
        (None, None),
        "its statuses may lie on any day now"
    );
    let named: Vec<String> =
        query_scalar("SELECT value FROM payload_ids WHERE payload_id = $1 ORDER BY 1")
            .bind(id)
            .fetch_all(&database.pool)
            .await
            .unwrap();
    assert_eq!(named, ["FIRST", "abababab-abab-abab-abab-abababababab"]);
}
