//! A client that goes away has its query cancelled.

use std::process::Command;
use std::time::Duration;

use sea_orm::sqlx::{PgPool, query_scalar, raw_sql};

use super::fixture::Api;
use super::rows::{Payload, Status};
use super::surface::{REQUEST, routes};
use crate::support::{eventually, sockets};

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

/// Whether the API had a statement cancelled after the moment at which the transaction of `since` began. The
/// lock timeout of its sessions would end it as well, but says so to nobody.
async fn cancelled(pool: &PgPool, since: i32) -> bool {
    query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                           AND application_name = 'pt-api' AND query LIKE 'SELECT pg_cancel_backend%' \
                           AND query_start > (SELECT xact_start FROM pg_stat_activity WHERE pid = $1))",
    )
    .bind(since)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Less than the 5 s after which the server ends a session that idles in a transaction.
const SOON: Duration = Duration::from_secs(3);

/// The task that looks for what is new belongs to all listeners: it ends after its look.
const LOOKS_UNTIL: Duration = Duration::from_secs(6);

/// Whoever asks anything waits.
const LOCK: &str = "LOCK TABLE payloads, payload_statuses, rejects, consumer_offsets, producer_hours, failures, \
    failure_minutes, open_payloads";

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_a_client_that_went_away_is_cancelled_on_every_route() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let id = Payload::of(REQUEST).put(pool).await;
    Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
        .put(pool)
        .await;
    // Both pools have their sessions before the clock runs.
    api.json("/payloads").await;
    let lists = [
        "/v1/statuses?page_size=1000&format=csv",
        "/v1/payloads?page_size=1000&format=csv",
    ];
    let mut asked: Vec<_> = lists.map(|list| (list.to_owned(), false)).into();
    for route in routes()
        .iter()
        .filter(|route| route.reads() && !route.is_probe())
    {
        asked.push((route.target(), route.is_stream));
    }
    for (target, is_stream) in asked {
        let mut holder = pool.begin().await.unwrap();
        let locked = query_scalar("SELECT pg_backend_pid()");
        let locked: i32 = locked.fetch_one(&mut *holder).await.unwrap();
        raw_sql(LOCK).execute(&mut *holder).await.unwrap();
        let request = tokio::spawn(api.request(&target).send());
        let waits = format!("{target} waits for the lock");
        eventually(&waits, LOOKS_UNTIL, || async {
            (running(pool).await > 0).then_some(())
        })
        .await;
        request.abort();
        let cancelled = format!("{target} is cancelled");
        eventually(&cancelled, LOOKS_UNTIL, || async {
            let is_cancelled = is_stream || self::cancelled(pool, locked).await;
            (is_cancelled && running(pool).await == 0).then_some(())
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
    let locked = query_scalar("SELECT pg_backend_pid()");
    let locked: i32 = locked.fetch_one(&mut *holder).await.unwrap();
    raw_sql("LOCK TABLE payloads")
        .execute(&mut *holder)
        .await
        .unwrap();
    let leaving = tokio::spawn(api.request("/v1/payloads").send());
    let staying = tokio::spawn(api.request("/v1/payloads/r").send());
    eventually("both wait for the lock", SOON, || async {
        (running(pool).await == 2).then_some(())
    })
    .await;
    leaving.abort();
    eventually("one is cancelled", SOON, || async {
        cancelled(pool, locked).await.then_some(())
    })
    .await;
    holder.rollback().await.unwrap();
    assert_eq!(staying.await.unwrap().unwrap().status(), 200);
}

/// A transaction that is begun and not waited for any more is ended by nobody but who began it: the session
/// would go back to the pool with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_while_its_transaction_begins_leaves_none_open() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    assert_eq!(api.problem("/payloads/nobody").await.0, 404);
    let stopped = Stopped::of_the_api(pool).await;
    let port = api.url.rsplit(':').next().unwrap().parse().unwrap();
    let request = tokio::spawn(api.request("/v1/payloads/r").send());
    eventually("it waits for the transaction", SOON, || async {
        sockets::unread(api.database.config().port).then_some(())
    })
    .await;
    request.abort();
    eventually("the API knows that it has gone", SOON, || async {
        (sockets::open(port) == 0).then_some(())
    })
    .await;
    drop(stopped);
    no_transaction_is_open(pool).await;
}

/// Another session answers meanwhile, and the one that did not is not lent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_takes_too_long_to_begin_is_left_open_by_nobody() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    assert_eq!(api.problem("/payloads/nobody").await.0, 404);
    let stopped = Stopped::of_the_api(pool).await;
    assert_eq!(api.problem("/payloads/nobody").await.0, 404);
    drop(stopped);
    no_transaction_is_open(pool).await;
}

async fn no_transaction_is_open(pool: &PgPool) {
    eventually("no transaction is open", SOON, || async {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = 'pt-api' AND state <> 'idle'";
        let open: i64 = query_scalar(open).fetch_one(pool).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
}

/// Processes of the server that do nothing until this is dropped.
struct Stopped(Vec<i32>);

impl Stopped {
    async fn of_the_api(pool: &PgPool) -> Self {
        let sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                        AND application_name = 'pt-api'";
        Self::all(query_scalar(sessions).fetch_all(pool).await.unwrap())
    }

    fn all(processes: Vec<i32>) -> Self {
        let stopped = Self(processes);
        assert!(stopped.signal("-STOP"));
        stopped
    }

    fn signal(&self, signal: &str) -> bool {
        let processes = self.0.iter().map(i32::to_string);
        let done = Command::new("kill").arg(signal).args(processes).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}
