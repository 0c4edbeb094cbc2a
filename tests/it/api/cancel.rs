//! A client that goes away has its query cancelled.

use std::time::Duration;

use sea_orm::sqlx::{PgPool, query_scalar, raw_sql};

use super::fixture::Api;
use super::rows::{Payload, Status};
use crate::support::eventually;

/// Statements of the API that run now.
async fn running(pool: &PgPool) -> i64 {
    query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'pt-api' AND state = 'active'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Far less than the 1 s after which the sessions' lock timeout ends a statement by itself.
const AT_ONCE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_a_client_that_went_away_is_cancelled() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let id = Payload::of("r").put(pool).await;
    Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
        .put(pool)
        .await;
    // Both pools have their sessions before the clock runs.
    api.json("/payloads").await;
    for (path, statements) in [
        ("/v1/payloads", 2),
        ("/v1/statuses", 2),
        ("/v1/payloads/r", 1),
    ] {
        let mut holder = pool.begin().await.unwrap();
        raw_sql("LOCK TABLE payloads, payload_statuses")
            .execute(&mut *holder)
            .await
            .unwrap();
        let request = tokio::spawn(api.request(path).send());
        eventually("the query waits for the lock", AT_ONCE, || async {
            (running(pool).await == statements).then_some(())
        })
        .await;
        request.abort();
        eventually("the query is cancelled", AT_ONCE, || async {
            (running(pool).await == 0).then_some(())
        })
        .await;
        holder.rollback().await.unwrap();
        api.json("/payloads").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_other_clients_go_on() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    Payload::of("r").put(pool).await;
    api.json("/payloads").await;
    let mut holder = pool.begin().await.unwrap();
    raw_sql("LOCK TABLE payloads")
        .execute(&mut *holder)
        .await
        .unwrap();
    let leaving = tokio::spawn(api.request("/v1/payloads").send());
    let staying = tokio::spawn(api.request("/v1/payloads/r").send());
    eventually("all wait for the lock", AT_ONCE, || async {
        (running(pool).await == 3).then_some(())
    })
    .await;
    leaving.abort();
    eventually("one is cancelled", AT_ONCE, || async {
        (running(pool).await == 1).then_some(())
    })
    .await;
    holder.rollback().await.unwrap();
    assert_eq!(staying.await.unwrap().unwrap().status(), 200);
}
