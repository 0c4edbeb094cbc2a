//! Reading and writing while partitions go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use payload_tracker::upkeep::{Event, Outcome};
use sea_orm::sqlx::{AssertSqlSafe, PgConnection, query, query_scalar, raw_sql};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fixture::Site;
use crate::ingest::lab::{Lab, SOON, Totals, numbered};
use crate::support::{Process, connect, eventually};

const EXPIRED: std::ops::Range<u64> = 9..39;

/// Asks one question again and again; gives how often it was answered.
fn ask(
    mut session: PgConnection,
    sql: &'static str,
    stop: CancellationToken,
) -> JoinHandle<Result<usize, sea_orm::sqlx::Error>> {
    tokio::spawn(async move {
        let mut answers = 0;
        while !stop.is_cancelled() {
            let _: i64 = query_scalar(sql)
                .bind(answers as i64)
                .fetch_one(&mut session)
                .await?;
            answers += 1;
        }
        Ok(answers)
    })
}

/// A session whose statements keep one plan, over all partitions.
async fn session(site: &Site, settings: &str) -> PgConnection {
    let mut session = connect(&site.database.config()).await.unwrap();
    raw_sql(AssertSqlSafe(settings.to_owned()))
        .execute(&mut session)
        .await
        .unwrap();
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_and_no_write_fails_while_thirty_partitions_go() {
    let lab = Lab::with_partitions(4).await;
    let site = Site {
        database: lab.database,
    };
    site.partitions(0..9).await;
    site.payloads(1, 500).await;
    let before = site.count("payload_statuses").await;
    // Started before there is anything to expire; it does not come to it again by itself.
    let envs = site.database.env().into_iter().chain(lab.kafka.env());
    let consumer = Process::spawn("pt-consumer", envs);
    eventually("ready", SOON, || async {
        (consumer.probe("/ready").await?.0 == 200).then_some(())
    })
    .await;
    eventually("its round", SOON, || async {
        let (_, metrics) = consumer.probe("/metrics").await?;
        metrics
            .contains("upkeep_rounds{outcome=\"done\"} 1")
            .then_some(())
    })
    .await;
    site.partitions(EXPIRED).await;
    for ago in EXPIRED {
        site.payloads(ago, 200).await;
    }
    let api = Process::spawn("pt-api", site.database.env());

    let stop = CancellationToken::new();
    let generic = "SET plan_cache_mode = force_generic_plan";
    let custom = "SET plan_cache_mode = force_custom_plan";
    let mut readers = Vec::new();
    for settings in [generic, custom] {
        for sql in [
            "SELECT count(*) FROM payload_statuses WHERE payload_id = $1 % 1000",
            "SELECT count(*) FROM payload_statuses
              WHERE date >= now() - interval '60 days' + $1 % 9 * interval '1 hour'",
            "SELECT count(*) FROM (SELECT FROM payload_statuses WHERE id > $1
              ORDER BY date DESC, id DESC LIMIT 20) AS page",
            "SELECT count(*) FROM payloads JOIN payload_statuses AS s ON s.payload_id = payloads.id
              WHERE payloads.id % 97 = $1 % 97",
        ] {
            readers.push(ask(session(&site, settings).await, sql, stop.clone()));
        }
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = tokio::spawn(ask_api(api, Arc::clone(&asked), stop.clone()));
    eventually("the API answers", SOON, || async {
        (asked.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    let sending = async {
        for batch in 0..20 {
            lab.kafka
                .send(None, numbered(batch * 200..(batch + 1) * 200))
                .await;
        }
    };
    let (events, ()) = tokio::join!(site.done(), sending);
    let passed = eventually("all statuses", SOON, || async {
        let statuses = site.count("payload_statuses").await;
        (statuses == before + 4_000).then_some(statuses)
    });
    passed.await;
    stop.cancel();
    let mut answers = 0;
    for reader in readers {
        answers += reader.await.unwrap().unwrap();
    }
    asking.await.unwrap();
    let asked = asked.load(Ordering::Relaxed);
    println!("{answers} answers by SQL and {asked} by HTTP, none failed");
    assert!(answers > 100);
    let dropped = |event: &&Event| matches!(event, Event::Dropped { .. });
    assert_eq!(events.iter().filter(dropped).count(), 30);
    assert!(
        !consumer.log().contains("waits for the database"),
        "no batch failed"
    );
    site.is_consistent().await;
    let lab = Lab {
        database: site.database,
        kafka: lab.kafka,
    };
    let totals = lab.totals().await;
    assert_eq!(totals.stored, Totals::of(4_000).stored);
}

/// Each answer is a good one.
async fn ask_api(api: Process, asked: Arc<AtomicUsize>, stop: CancellationToken) {
    eventually("the API", SOON, || async {
        (api.get("/health").await?.0 == 200).then_some(())
    })
    .await;
    while !stop.is_cancelled() {
        for path in [
            "/api/v1/statuses?page_size=5".to_owned(),
            "/api/v1/statuses?date_gte=2020-01-01&sort_dir=asc&page_size=5".to_owned(),
            "/api/v1/payloads?page_size=5".to_owned(),
        ] {
            let (code, body) = api.get(&path).await.unwrap();
            assert_eq!(code, 200, "{path}: {body}");
            asked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The round waits, and nobody waits for the round.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_reads_a_partition_is_waited_for_and_holds_up_nobody() {
    let site = Site::new().await;
    site.partitions([0, 9]).await;
    site.payloads(9, 5).await;
    let mut reader = site.pool().begin().await.unwrap();
    let read = "SELECT count(*) FROM payload_statuses";
    let before: i64 = query_scalar(read).fetch_one(&mut *reader).await.unwrap();
    assert_eq!(before, 10);
    let site = Arc::new(site);
    let round = tokio::spawn({
        let site = Arc::clone(&site);
        async move { site.round().await }
    });
    eventually("half detached", SOON, || async {
        (site.count("pg_inherits WHERE inhdetachpending").await == 1).then_some(())
    })
    .await;
    // The same transaction reads on; others read, write and make partitions at once.
    let _: i64 = query_scalar(read).fetch_one(&mut *reader).await.unwrap();
    let mut other = session(&site, "SET lock_timeout = '500ms'").await;
    let seen: i64 = query_scalar(read).fetch_one(&mut other).await.unwrap();
    assert_eq!(seen, 0, "hidden from who comes now");
    let payload = site.payload("new", 0, "current_date").await;
    query("INSERT INTO payload_statuses (payload_id, service_id, status_id) VALUES ($1, 1, 1)")
        .bind(payload)
        .execute(&mut other)
        .await
        .unwrap();
    reader.commit().await.unwrap();
    let (ended, events) = round.await.unwrap();
    assert_eq!(ended.unwrap(), Outcome::Done, "{events:?}");
    site.is_consistent().await;
}

/// A report that runs for an hour must not fail, nor be waited for for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_does_not_end_costs_the_partition_a_round_and_nothing_else() {
    let site = Site::new().await;
    site.partitions([9, 10]).await;
    site.payloads(9, 5).await;
    site.payload("gone", 20, "'2020-01-01'").await;
    let mut reader = site.pool().begin().await.unwrap();
    query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .execute(&mut *reader)
        .await
        .unwrap();
    let read = "SELECT count(*) FROM payload_statuses";
    let _: i64 = query_scalar(read).fetch_one(&mut *reader).await.unwrap();
    let begun = std::time::Instant::now();
    let (ended, events) = site.round().await;
    assert!(ended.unwrap_err().to_string().contains("partitions"));
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Busy { .. }))
    );
    assert!(!site.request_ids().await.contains(&"gone".to_owned()));
    // The days ahead were made first.
    assert!(site.days().await.is_superset(&[0, -1, -2, -3].into()));
    let seen: i64 = query_scalar(read).fetch_one(&mut *reader).await.unwrap();
    assert_eq!(seen, 10, "its snapshot has them still");
    reader.commit().await.unwrap();
    site.done().await;
    site.is_consistent().await;
}
