//! Sessions that come back from a loan.

use std::time::Duration;

use payload_tracker::config::Database;
use payload_tracker::store::lent::lend;
use payload_tracker::store::session::{self, Role};
use sea_orm::sqlx::{PgPool, query};
use tokio::time::timeout;

use crate::support::{self, Owing, Proxy, TestDatabase, eventually};

const SOON: Duration = Duration::from_secs(10);

/// More than any buffer on the way takes.
const LARGE: usize = 64 << 20;

/// A pool of one session, through the proxy.
fn pool(database: &TestDatabase, proxy: &Proxy) -> PgPool {
    let config = Database {
        host: "127.0.0.1".to_owned(),
        port: proxy.port(),
        max_connections: 1,
        ..database.config()
    };
    let db = session::connect(&config, Role::Consumer);
    db.get_postgres_connection_pool().clone()
}

/// To close such a session as it should be, too, would take a quarter of an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_server_vanished_in_the_middle_of_a_large_statement_is_replaced() {
    let database = support::database().await;
    let proxy = Proxy::to(database.config().port).await;
    let pool = pool(&database, &proxy);
    let mut session = lend(&pool).await.unwrap();
    let sql = "SELECT length($1)";
    query(sql).bind("").execute(&mut *session).await.unwrap();
    proxy.vanish();
    let large = query(sql).bind("x".repeat(LARGE));
    let sent = timeout(Duration::from_millis(500), large.execute(&mut *session));
    assert!(sent.await.is_err(), "it is not taken");
    drop(session);
    eventually("another session", SOON, || async {
        let mut session = lend(&pool).await.ok()?;
        query(sql).bind("").execute(&mut *session).await.ok()
    })
    .await;
}

/// Of pools that are asked without a loan, as those of the consumer's small questions.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_replaces_what_idles_and_what_comes_back_of_a_server_that_vanished() {
    let database = support::database().await;
    let proxy = Proxy::to(database.config().port).await;
    let pool = pool(&database, &proxy);
    query("SELECT 1").execute(&pool).await.unwrap();
    proxy.vanish();
    let idle = timeout(SOON, query("SELECT 1").execute(&pool)).await;
    idle.expect("an answer").expect("another session");
    let owing = Owing::of("payloads", &database.pool).await;
    let asked = tokio::spawn({
        let pool = pool.clone();
        async move { query("SELECT FROM payloads").execute(&pool).await }
    });
    owing.vanish("pt-consumer", &proxy).await;
    asked.abort();
    let back = timeout(SOON, query("SELECT 1").execute(&pool)).await;
    back.expect("an answer").expect("another session");
}
