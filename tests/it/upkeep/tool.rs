//! `pt retention`, and the consumer that does it by itself.

use sea_orm::sqlx::{Connection, query_scalar};

use super::fixture::{Site, kept};
use crate::cli::tool::pt;
use crate::ingest::lab::{Lab, SOON, is_ready};
use crate::support::{Process, Proxy, connect, eventually};

fn own(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_lists_what_now_then_does() {
    let site = Site::new().await;
    site.partitions([0, 9, 10]).await;
    site.payloads(9, 30).await;
    site.payload("gone", 20, "NULL").await;
    site.run("ANALYZE payload_statuses").await;
    let before = site.days().await;
    let dry = pt(&["retention", "--dry-run"], site.database.env()).await;
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert_eq!(site.days().await, before, "nothing is changed");
    assert_eq!(site.count("payloads").await, 31);
    for line in [
        "make    the partition of ",
        "00:00 UTC, about 60 rows",
        "delete  31 rows of payloads",
        "delete  30 rows of payload_ids",
    ] {
        assert!(dry.stdout.contains(line), "{line}: {}", dry.stdout);
    }
    assert_eq!(dry.stdout.matches("make ").count(), 3, "{}", dry.stdout);
    assert_eq!(dry.stdout.matches("drop ").count(), 2, "{}", dry.stdout);

    let now = pt(&["retention", "--now"], site.database.env()).await;
    assert_eq!(now.code, 0, "{}", now.stderr);
    assert_eq!(now.stdout.matches("made ").count(), 3, "{}", now.stdout);
    assert_eq!(now.stdout.matches("dropped ").count(), 2, "{}", now.stdout);
    assert!(
        now.stdout
            .contains("deleted 31 rows of payloads and 30 of payload_ids"),
        "{}",
        now.stdout
    );
    assert_eq!(site.count("payloads").await, 0);
    let dry = pt(&["retention", "--dry-run"], site.database.env()).await;
    assert!(dry.stdout.ends_with("nothing to do\n"), "{}", dry.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_say_what_has_expired() {
    let site = Site::new().await;
    site.partitions([0, 2, 3, 4, 20]).await;
    let settings = |days| {
        site.database
            .env()
            .into_iter()
            .chain([own("RETENTION_DAYS", days)])
    };
    let dry = pt(&["retention", "--dry-run"], settings("30")).await;
    assert!(!dry.stdout.contains("drop "), "{}", dry.stdout);
    let now = pt(&["retention", "--now"], settings("2")).await;
    assert_eq!(now.code, 0, "{}", now.stderr);
    let dropped = if kept() == 7 { 3 } else { 2 };
    assert_eq!(
        now.stdout.matches("dropped ").count(),
        dropped,
        "{}",
        now.stdout
    );
    let wrong = pt(&["retention", "--now"], settings("0")).await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("RETENTION_DAYS"), "{}", wrong.stderr);
    let neither = pt(&["retention"], site.database.env()).await;
    assert_eq!(neither.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn now_says_so_where_another_is_at_it() {
    let site = Site::new().await;
    let mut holder = connect(&site.database.config()).await.unwrap();
    let _: bool = query_scalar("SELECT pg_try_advisory_lock(8097887111620944899)")
        .fetch_one(&mut holder)
        .await
        .unwrap();
    let now = pt(&["retention", "--now"], site.database.env()).await;
    assert_eq!(now.code, 1);
    assert!(now.stderr.contains("is at it now"), "{}", now.stderr);
    holder.close().await.unwrap();
}

async fn metric(process: &Process, line: &str) {
    eventually(line, SOON, || async {
        let (_, metrics) = process.probe("/metrics").await?;
        metrics.contains(line).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_does_it_by_itself_and_says_so() {
    let lab = Lab::with_partitions(1).await;
    let site = Site {
        database: lab.database,
    };
    site.partitions([9, 10]).await;
    site.payloads(9, 30).await;
    let envs = || site.database.env().into_iter().chain(lab.kafka.env());
    let consumers = [
        Process::spawn("pt-consumer", envs()),
        Process::spawn("pt-consumer", envs()),
    ];
    eventually("partitions", SOON, || async {
        (site.days().await == [0, -1, -2, -3].into()).then_some(())
    })
    .await;
    eventually("payloads", SOON, || async {
        (site.count("payloads").await == 0).then_some(())
    })
    .await;
    let mut dropped = 0;
    for consumer in &consumers {
        is_ready(consumer).await;
        metric(consumer, "payload_tracker_upkeep_running 0").await;
        metric(consumer, "payload_tracker_upkeep_rounds{outcome=\"").await;
        let (_, metrics) = consumer.probe("/metrics").await.unwrap();
        dropped += metrics
            .lines()
            .find_map(|line| line.strip_prefix("payload_tracker_partitions_dropped "))
            .map_or(0, |count| count.parse().unwrap());
    }
    assert_eq!(dropped, 2, "by one of them");
    let logs = consumers.each_ref().map(Process::log).concat();
    assert!(
        logs.contains("deleted 30 rows of payloads and 30 of payload_ids"),
        "{logs}"
    );
    assert!(logs.contains("made the partition of"), "{logs}");
}

/// What fails is tried again, and the consumer goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn upkeep_that_fails_stops_nothing_and_is_tried_again() {
    let lab = Lab::with_partitions(1).await;
    let site = Site {
        database: lab.database,
    };
    site.run("ALTER TABLE expired_partitions RENAME TO elsewhere")
        .await;
    let envs = site.database.env().into_iter().chain(lab.kafka.env());
    let mut consumer = Process::spawn("pt-consumer", envs);
    is_ready(&consumer).await;
    metric(
        &consumer,
        "payload_tracker_upkeep_failures{task=\"leftovers\"} 2",
    )
    .await;
    is_ready(&consumer).await;
    assert_eq!(
        site.days().await,
        [0, -1, -2, -3].into(),
        "the rest is done"
    );
    site.run("ALTER TABLE elsewhere RENAME TO expired_partitions")
        .await;
    metric(
        &consumer,
        "payload_tracker_upkeep_rounds{outcome=\"done\"} 1",
    )
    .await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_late_gets_its_partitions() {
    let lab = Lab::with_partitions(1).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    proxy.refuse();
    let port = proxy.port().to_string();
    let consumer = lab.consumer(&[("DB_PORT", &port), ("DB_HOST", "127.0.0.1")]);
    metric(
        &consumer,
        "payload_tracker_upkeep_rounds{outcome=\"failed\"} 1",
    )
    .await;
    proxy.restore();
    metric(
        &consumer,
        "payload_tracker_upkeep_rounds{outcome=\"done\"} 1",
    )
    .await;
    metric(&consumer, "payload_tracker_partitions_made 4").await;
}

/// A long deletion does not keep the process from ending.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_ends_in_time() {
    let lab = Lab::with_partitions(1).await;
    let site = Site {
        database: lab.database,
    };
    site.partitions([0, 9]).await;
    let mut reader = site.pool().begin().await.unwrap();
    let _: i64 = query_scalar("SELECT count(*) FROM payload_statuses")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    let envs = site.database.env().into_iter().chain(lab.kafka.env());
    let mut consumer = Process::spawn("pt-consumer", envs);
    metric(&consumer, "payload_tracker_upkeep_running 1").await;
    eventually("half detached", SOON, || async {
        (site.count("pg_inherits WHERE inhdetachpending").await == 1).then_some(())
    })
    .await;
    assert!(consumer.terminate().await.success());
    reader.commit().await.unwrap();
}
