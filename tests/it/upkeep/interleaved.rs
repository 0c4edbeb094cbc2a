//! A payload that gets a status while it expires: the consumer's transaction and the deletion meet
//! at each point of either, and no status is ever left without its payload.

use payload_tracker::upkeep::MOST_ROWS;
use sea_orm::sqlx::{PgConnection, PgExecutor, PgTransaction, query, query_as, query_scalar};

use tokio::time::timeout;

use super::fixture::midnight;
use crate::ingest::lab::{Lab, SOON};
use crate::support::{Process, connect, eventually};

const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

/// Whether the last day of the payload is known; if not, the consumer changes nothing in its row.
const LAST_DAYS: [&str; 2] = ["'2020-01-01'", "NULL"];

struct Scene {
    lab: Lab,
    payload: i64,
    _consumer: Process,
}

impl Scene {
    /// A consumer that has done its round, and a payload that has expired since.
    async fn new(last_day: &'static str) -> Self {
        let lab = Lab::with_partitions(1).await;
        let settings = [("BATCH_MAX_MESSAGES", "2"), ("BATCH_MAX_WAIT_MS", "60000")];
        let consumer = lab.ready_consumer(&settings).await;
        round_done(&consumer).await;
        let insert = format!(
            "INSERT INTO payloads (request_id, org_id, inventory_id, created_at, first_day, last_day)
             VALUES ($1, '1', 'host', $2, {last_day}, {last_day}) RETURNING id"
        );
        let payload = query_scalar(sea_orm::sqlx::AssertSqlSafe(insert))
            .bind(REQUEST_ID)
            .bind(midnight(20))
            .fetch_one(lab.pool())
            .await
            .unwrap();
        Self {
            lab,
            payload,
            _consumer: consumer,
        }
    }

    /// A status of the payload and a reject: together a batch.
    async fn send(&self) {
        let date = chrono::Utc::now().to_rfc3339();
        let status = format!(
            r#"{{"service":"s","status":"t","org_id":"1","inventory_id":"host",
                "request_id":"{REQUEST_ID}","date":"{date}"}}"#
        );
        let messages = [status.into_bytes(), b"not json".to_vec()];
        self.lab.kafka.send(Some(0), messages).await;
    }

    async fn hold(&self, sql: &'static str) -> PgTransaction<'static> {
        let mut holder = self.lab.pool().begin().await.unwrap();
        query(sql).execute(&mut *holder).await.unwrap();
        holder
    }

    async fn expire(&self, executor: impl PgExecutor<'_>) -> i64 {
        expire(self.payload, executor).await
    }

    /// Waits until the named session waits for a lock.
    async fn waits(&self, session: &str) {
        eventually(session, SOON, || async {
            let waiting: bool = query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock'
                    AND (application_name = $1 OR query LIKE '%' || $1 || '%') AND pid <> pg_backend_pid())",
            )
            .bind(session)
            .fetch_one(self.lab.pool())
            .await
            .unwrap();
            waiting.then_some(())
        })
        .await;
    }

    /// The status is stored, with a payload: that of before, or another.
    async fn ends_with(&self, is_kept: bool) {
        self.lab.passed(2, SOON).await;
        let rows: Vec<(i64, i64)> = query_as(
            "SELECT p.id, count(s.*) FROM payloads AS p
               JOIN payload_statuses AS s ON s.payload_id = p.id
               JOIN payload_ids AS i ON i.payload_id = p.id
              WHERE request_id = $1 GROUP BY p.id",
        )
        .bind(REQUEST_ID)
        .fetch_all(self.lab.pool())
        .await
        .unwrap();
        assert_eq!(
            rows.len(),
            1,
            "a payload with its status and its host: {rows:?}"
        );
        assert_eq!(rows[0].1, 1);
        assert_eq!(rows[0].0 == self.payload, is_kept, "{rows:?}");
        let statuses: i64 = query_scalar("SELECT count(*) FROM payload_statuses")
            .fetch_one(self.lab.pool())
            .await
            .unwrap();
        assert_eq!(statuses, 1);
    }
}

async fn expire(payload: i64, executor: impl PgExecutor<'_>) -> i64 {
    let deleted = query_scalar("SELECT deleted FROM expire_payloads(ARRAY[$1::bigint], $2, $3)")
        .bind(payload)
        .bind(midnight(7))
        .bind(MOST_ROWS as i32)
        .fetch_one(executor);
    // It waits for nobody but who holds the table.
    timeout(SOON, deleted).await.expect("no waiting").unwrap()
}

async fn round_done(consumer: &Process) {
    eventually("a round", SOON, || async {
        let (_, metrics) = consumer.probe("/metrics").await?;
        metrics
            .contains("payload_tracker_upkeep_rounds{outcome=\"done\"} 1")
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_before_the_consumer_gets_to_it_it_is_made_anew() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        // Its transaction begins with the fence.
        let holder = scene.hold("SELECT FROM consumer_offsets FOR UPDATE").await;
        scene.send().await;
        scene.waits("pt-consumer").await;
        assert_eq!(scene.expire(scene.lab.pool()).await, 1);
        holder.rollback().await.unwrap();
        scene.ends_with(false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_the_consumer_has_locked_is_kept_changed_or_not() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        // Statuses come after payloads and their host ids.
        let holder = scene
            .hold("LOCK TABLE payload_statuses IN SHARE MODE")
            .await;
        scene.send().await;
        scene.waits("pt-consumer").await;
        assert_eq!(scene.expire(scene.lab.pool()).await, 0);
        holder.rollback().await.unwrap();
        scene.ends_with(true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_whose_status_is_not_committed_yet_is_kept() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        // Rejects come after statuses.
        let holder = scene.hold("LOCK TABLE rejects IN SHARE MODE").await;
        scene.send().await;
        scene.waits("pt-consumer").await;
        assert_eq!(scene.expire(scene.lab.pool()).await, 0);
        holder.rollback().await.unwrap();
        scene.ends_with(true).await;
        assert_eq!(scene.expire(scene.lab.pool()).await, 0, "nor later");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_waits_for_the_deletion_makes_the_payload_anew() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        let mut deletion = scene.lab.pool().begin().await.unwrap();
        assert_eq!(scene.expire(&mut *deletion).await, 1);
        scene.send().await;
        scene.waits("pt-consumer").await;
        deletion.commit().await.unwrap();
        scene.ends_with(false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_rolled_back_leaves_the_payload_to_the_consumer() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        let mut deletion = scene.lab.pool().begin().await.unwrap();
        assert_eq!(scene.expire(&mut *deletion).await, 1);
        scene.send().await;
        scene.waits("pt-consumer").await;
        deletion.rollback().await.unwrap();
        scene.ends_with(true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_between_the_deletions_lock_and_its_second_look_waits() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        let holder = scene
            .hold("LOCK TABLE payload_statuses IN ACCESS EXCLUSIVE MODE")
            .await;
        let mut session: PgConnection = connect(&scene.lab.database.config()).await.unwrap();
        let payload = scene.payload;
        let deletion = tokio::spawn(async move { expire(payload, &mut session).await });
        scene.waits("expire_payloads").await;
        scene.send().await;
        scene.waits("pt-consumer").await;
        holder.rollback().await.unwrap();
        assert_eq!(deletion.await.unwrap(), 1);
        scene.ends_with(false).await;
    }
}

/// A round chose it before the status came.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_chosen_before_its_status_came_is_kept() {
    for last_day in LAST_DAYS {
        let scene = Scene::new(last_day).await;
        scene.send().await;
        scene.lab.passed(2, SOON).await;
        assert_eq!(scene.expire(scene.lab.pool()).await, 0);
        scene.ends_with(true).await;
    }
}
