//! The sessions in which pt-api asks the database.

use sea_orm::sqlx::{self, Executor};

use super::rows::{Payload, Status};
use crate::ingest::lab::{SOON, is_ready};
use crate::support::{self, Process, TestDatabase, eventually};

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";

/// pt-api's sessions of which this is true.
async fn sessions(database: &TestDatabase, condition: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'pt-api' AND {condition}"
    )))
    .fetch_one(&database.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_open_before_anybody_asks_and_know_the_partitions() {
    let database = support::database().await;
    let _api = Process::spawn("pt-api", database.env());
    eventually("open sessions", SOON, || async {
        let open = "state = 'idle' AND query LIKE 'EXPLAIN%payload_statuses%'";
        (sessions(&database, open).await >= 8).then_some(())
    })
    .await;
}

/// One session for lists and one for lookups.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_wait_hold_up_no_lookup() {
    let database = support::database().await;
    let payload = Payload::of(ID).put(&database.pool).await;
    let status = Status::of(payload, "ingress", "received", "2026-01-31T08:00:00Z");
    status.put(&database.pool).await;
    let mut env = database.env();
    env.push(("DB_MAX_CONNECTIONS".to_owned(), "2".to_owned()));
    let api = Process::spawn("pt-api", env);
    is_ready(&api).await;
    let mut other = support::connect(&database.config()).await.unwrap();
    other.execute("BEGIN; LOCK TABLE rejects").await.unwrap();
    let lists = tokio::spawn(futures_util::future::join_all((0..3).map(|_| {
        reqwest::get(format!("http://127.0.0.1:{}/v1/rejects", api.public_port))
    })));
    eventually("a list that waits", SOON, || async {
        (sessions(&database, "wait_event_type = 'Lock'").await == 1).then_some(())
    })
    .await;
    for path in ["/v1/payloads/", "/v1/explain/"] {
        let (status, found) = api.get(&format!("{path}{ID}")).await.unwrap();
        assert_eq!(status, 200, "{found}");
    }
    assert!(!lists.is_finished());
    other.execute("COMMIT").await.unwrap();
    // Those that waited for too long were told so.
    lists.await.unwrap();
    let (status, list) = api.get("/v1/rejects").await.unwrap();
    assert_eq!(status, 200, "{list}");
}
