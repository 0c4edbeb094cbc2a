//! The database's host vanishes without a word, and another takes its place.

use std::time::Duration;

use sea_orm::sqlx::{Executor, query_scalar};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::rows::{Payload, Status};
use crate::ingest::lab::{SOON, is_ready};
use crate::support::{self, Process, Proxy, TestDatabase, eventually};

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";

/// Sessions for lists, and as many for lookups.
const SESSIONS: usize = 3;

/// A question takes 4.5 s to be given up, and its session no time to be replaced: twice that on a busy machine.
const AGAIN: Duration = Duration::from_secs(10);

/// The kernel would take a quarter of an hour.
const IN_TIME: Duration = Duration::from_secs(10);

struct Site {
    database: TestDatabase,
    proxy: Proxy,
    api: Process,
}

impl Site {
    async fn start() -> Self {
        let database = support::database().await;
        let payload = Payload::of(ID).put(&database.pool).await;
        let status = Status::of(payload, "ingress", "received", "2026-01-31T08:00:00Z");
        status.put(&database.pool).await;
        let proxy = Proxy::to(database.config().port).await;
        let mut env = database.env();
        let own = [
            ("DB_HOST", "127.0.0.1".to_owned()),
            ("DB_PORT", proxy.port().to_string()),
            ("DB_MAX_CONNECTIONS", (2 * SESSIONS).to_string()),
            ("MAX_REQUESTS_PER_MINUTE", "0".to_owned()),
        ];
        env.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let api = Process::spawn("pt-api", env);
        is_ready(&api).await;
        Self {
            database,
            proxy,
            api,
        }
    }

    fn urls(&self) -> [String; 2] {
        let lookup = format!("/v1/payloads/{ID}");
        [lookup, "/v1/payloads".to_owned()]
            .map(|path| format!("http://127.0.0.1:{}{path}", self.api.public_port))
    }

    /// Waits until a lookup and a list are answered.
    async fn answers(&self) {
        for url in self.urls() {
            eventually(&url, AGAIN, || async {
                let answer = timeout(AGAIN, reqwest::get(&url)).await.ok()?;
                (answer.ok()?.status() == 200).then_some(())
            })
            .await;
        }
    }

    /// Waits until every session there may be asks something at the same moment: none is held by what is
    /// over.
    async fn has_all_sessions(&self) {
        let mut holder = support::connect(&self.database.config()).await.unwrap();
        holder.execute("BEGIN; LOCK TABLE payloads").await.unwrap();
        let done = CancellationToken::new();
        let mut asked = JoinSet::new();
        for url in self.urls().iter().cycle().take(4 * SESSIONS) {
            let (url, done) = (url.clone(), done.clone());
            asked.spawn(async move {
                while !done.is_cancelled() {
                    reqwest::get(&url).await.unwrap();
                }
            });
        }
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = 'pt-api' AND wait_event_type = 'Lock'";
        eventually("all sessions ask", IN_TIME, || async {
            let waiting: i64 = query_scalar(waiting)
                .fetch_one(&self.database.pool)
                .await
                .unwrap();
            (waiting == 2 * SESSIONS as i64).then_some(())
        })
        .await;
        done.cancel();
        holder.execute("COMMIT").await.unwrap();
        asked.join_all().await;
    }

    /// So many in a row are answered: a session that is waited for would be a 503.
    async fn are_all_answered(&self) {
        for url in self.urls().iter().cycle().take(100) {
            assert_eq!(reqwest::get(url).await.unwrap().status(), 200, "{url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_of_a_host_that_vanished_are_replaced_within_the_request() {
    let site = Site::start().await;
    site.has_all_sessions().await;
    site.proxy.vanish();
    for url in site.urls() {
        assert_eq!(reqwest::get(&url).await.unwrap().status(), 200, "{url}");
    }
    site.are_all_answered().await;
    site.has_all_sessions().await;
    is_ready(&site.api).await;
}

/// Meanwhile sessions are opened, by those who ask and to be kept open, and nobody tells them of the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_place_is_taken_late_is_not_waited_for() {
    let site = Site::start().await;
    site.has_all_sessions().await;
    site.proxy.vanish_for_a_while();
    for url in site.urls() {
        assert_eq!(reqwest::get(&url).await.unwrap().status(), 503, "{url}");
    }
    site.proxy.restore();
    site.answers().await;
    site.are_all_answered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_asked_while_their_host_vanishes_are_not_waited_for() {
    let site = Site::start().await;
    site.has_all_sessions().await;
    let done = CancellationToken::new();
    let mut asked = JoinSet::new();
    for url in site.urls().iter().cycle().take(4 * SESSIONS) {
        let (url, done) = (url.clone(), done.clone());
        asked.spawn(async move {
            let mut answered = 0;
            while !done.is_cancelled() {
                reqwest::get(&url).await.unwrap();
                answered += 1;
            }
            answered
        });
    }
    // Whatever a session may be at, some of them are.
    for _ in 0..3 {
        site.proxy.vanish();
        site.answers().await;
    }
    done.cancel();
    let answered = timeout(SOON, asked.join_all()).await.unwrap();
    assert!(answered.iter().all(|answered| *answered > 0));
    site.are_all_answered().await;
    site.has_all_sessions().await;
}
