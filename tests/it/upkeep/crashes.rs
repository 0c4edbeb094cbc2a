//! Killed in the middle: the next round finds what was left and goes on.

use payload_tracker::upkeep::{Event, Outcome};
use sea_orm::sqlx::{query, query_scalar};

use super::fixture::Site;
use crate::ingest::lab::SOON;
use crate::support::{Process, eventually};

fn now(site: &Site) -> Process {
    Process::spawn_with("pt", &["retention", "--now"], site.database.env())
}

async fn waits_for(site: &Site, what: &str, sql: &'static str) {
    eventually(what, SOON, || async {
        let is_so: bool = query_scalar(sql).fetch_one(site.pool()).await.unwrap();
        is_so.then_some(())
    })
    .await;
}

/// The server goes on with a statement after its client is gone, and holds the lock until its end.
async fn session_ended(site: &Site) {
    waits_for(
        site,
        "the end of the session",
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pt-upkeep'
            AND datname = current_database())",
    )
    .await;
}

async fn next_round(site: &Site) -> Vec<Event> {
    eventually("the lock", SOON, || async {
        let (ended, events) = site.round().await;
        (ended.unwrap() == Outcome::Done).then_some(events)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn between_detaching_and_dropping() {
    let site = Site::new().await;
    site.partitions([0, 9, 10]).await;
    site.payloads(10, 5).await;
    // Somebody's own, by a name of ours, is left alone.
    site.run("CREATE TABLE partition_20200101_20200102 (LIKE payload_statuses)")
        .await;
    site.run(
        "CREATE FUNCTION wait() RETURNS event_trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_advisory_xact_lock(1); END $$;
         CREATE EVENT TRIGGER wait ON ddl_command_start WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION wait()",
    )
    .await;
    let mut holder = site.pool().begin().await.unwrap();
    query("SELECT pg_advisory_xact_lock(1)")
        .execute(&mut *holder)
        .await
        .unwrap();
    let mut killed = now(&site);
    waits_for(
        &site,
        "the drop",
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pt-upkeep'
            AND wait_event = 'advisory' AND datname = current_database())",
    )
    .await;
    killed.kill9().await;
    query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'pt-upkeep' AND datname = current_database()",
    )
    .execute(site.pool())
    .await
    .unwrap();
    holder.rollback().await.unwrap();
    let alone = "pg_class JOIN expired_partitions ON relid = oid AND NOT relispartition";
    assert_eq!(site.count(alone).await, 1, "detached and not dropped");
    site.run("DROP EVENT TRIGGER wait; DROP FUNCTION wait")
        .await;

    let events = next_round(&site).await;
    let dropped = |event: &&Event| matches!(event, Event::Dropped { .. });
    assert_eq!(events.iter().filter(dropped).count(), 2, "{events:?}");
    assert_eq!(site.count("partition_20200101_20200102").await, 0);
    site.run("DROP TABLE partition_20200101_20200102").await;
    site.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_detached() {
    let site = Site::new().await;
    site.partitions([0, 9, 10]).await;
    let mut reader = site.pool().begin().await.unwrap();
    query("SELECT FROM payload_statuses")
        .execute(&mut *reader)
        .await
        .unwrap();
    let mut killed = now(&site);
    waits_for(
        &site,
        "the first half",
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)",
    )
    .await;
    killed.kill9().await;
    // The server gives up the second half after the lock timeout.
    session_ended(&site).await;
    assert_eq!(site.count("pg_inherits WHERE inhdetachpending").await, 1);
    reader.commit().await.unwrap();
    site.done().await;
    assert_eq!(site.days().await, [0, -1, -2, -3].into());
    site.is_consistent().await;
}

/// Half detached by hand, and not expired: finished, since no other could go before, and kept.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_half_detached_is_finished_and_kept() {
    let site = Site::new().await;
    site.partitions([0, 3, 9]).await;
    site.payloads(3, 5).await;
    let mut reader = site.pool().begin().await.unwrap();
    query("SELECT FROM payload_statuses")
        .execute(&mut *reader)
        .await
        .unwrap();
    let name: String = query_scalar(
        "SELECT partition::text FROM status_partitions() ORDER BY lower OFFSET 1 LIMIT 1",
    )
    .fetch_one(site.pool())
    .await
    .unwrap();
    let mut session = crate::support::connect(&site.database.config())
        .await
        .unwrap();
    let detach = format!(
        "SET lock_timeout = '100ms'; ALTER TABLE payload_statuses DETACH PARTITION {name} CONCURRENTLY"
    );
    for sql in detach.split(';') {
        let sql = sea_orm::sqlx::AssertSqlSafe(sql.to_owned());
        sea_orm::sqlx::raw_sql(sql).execute(&mut session).await.ok();
    }
    assert_eq!(site.count("pg_inherits WHERE inhdetachpending").await, 1);
    reader.commit().await.unwrap();
    site.done().await;
    assert_eq!(site.days().await, [0, -1, -2, -3].into());
    assert_eq!(site.count(&name).await, 10, "a table of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_payloads_go() {
    let site = Site::new().await;
    site.partitions([0]).await;
    site.payloads(0, 100).await;
    for ago in [9, 10] {
        site.partitions([ago]).await;
        site.payloads(ago, 10_000).await;
    }
    let mut left = site.count("payloads").await;
    for _ in 0..3 {
        let mut killed = now(&site);
        left = eventually("a step", SOON, || async {
            let now = site.count("payloads").await;
            (now < left || now == 100).then_some(now)
        })
        .await;
        killed.kill9().await;
        session_ended(&site).await;
    }
    next_round(&site).await;
    assert_eq!(site.count("payloads").await, 100);
    site.is_consistent().await;
}
