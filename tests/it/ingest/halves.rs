//! A large batch is written by two sessions, one for the odd request ids: what happens between their commits.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use payload_tracker::dev::child::Signal;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};

use super::lab::{Lab, SOON, Totals, numbered};
use crate::support::{self, Process, Proxy, eventually};

pub const MESSAGES: usize = 4_000;

/// Of [`numbered`], five messages each.
pub const EVEN_PAYLOAD: &str = "00000000000000000000000000000002";
const ODD_PAYLOAD: &str = "00000000000000000000000000000001";

/// Settings that make one batch of all messages.
pub const ONE_BATCH: [(&str, &str); 3] = [
    ("BATCH_MAX_MESSAGES", "4000"),
    ("BATCH_MAX_WAIT_MS", "60000"),
    ("KAFKA_AUTO_OFFSET_RESET", "earliest"),
];

/// A lab with the messages in two partitions, and with these payloads.
pub async fn lab(payloads: &[&str]) -> Lab {
    lab_with(numbered(0..MESSAGES).collect(), payloads).await
}

async fn lab_with(messages: Vec<Vec<u8>>, payloads: &[&str]) -> Lab {
    let lab = Lab::with_partitions(2).await;
    let (first, second) = messages.split_at(MESSAGES / 2);
    lab.kafka.send(Some(0), first.to_vec()).await;
    lab.kafka.send(Some(1), second.to_vec()).await;
    for request_id in payloads {
        sqlx::query("INSERT INTO payloads (request_id, created_at) VALUES ($1, now())")
            .bind(request_id)
            .execute(lab.pool())
            .await
            .unwrap();
    }
    lab
}

/// A session that keeps the consumer from writing to a payload.
async fn hold(lab: &Lab, request_id: &str) -> PgConnection {
    let mut session = support::connect(&lab.database.config()).await.unwrap();
    session.execute("BEGIN").await.unwrap();
    sqlx::query("SELECT FROM payloads WHERE request_id = $1 FOR UPDATE")
        .bind(request_id)
        .execute(&mut session)
        .await
        .unwrap();
    session
}

/// Where both lanes stand, and where their odd messages do.
pub async fn offsets(lab: &Lab) -> BTreeMap<i32, (i64, i64)> {
    let rows: Vec<(i32, i64, i64)> = sqlx::query_as(
        "SELECT partition, c.next_offset, o.next_offset
           FROM consumer_offsets AS c JOIN odd_offsets AS o USING (topic, partition)",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap();
    rows.into_iter()
        .map(|(lane, next, odd)| (lane, (next, odd)))
        .collect()
}

/// A consumer of which the odd half of everything is committed, and that waits with the even one.
pub async fn halfway(lab: &Lab, settings: &[(&str, &str)]) -> (Process, PgConnection) {
    let held = hold(lab, EVEN_PAYLOAD).await;
    let consumer = lab.consumer(&[&ONE_BATCH[..], settings].concat());
    let odd = eventually("the odd half", SOON, || async {
        let statuses = lab.totals().await.statuses;
        (statuses > 0).then_some(statuses)
    })
    .await;
    assert!((1_000..3_000).contains(&odd), "{odd} of {MESSAGES}");
    let end = MESSAGES as i64 / 2;
    assert_eq!(
        offsets(lab).await,
        BTreeMap::from([(0, (0, end)), (1, (0, end))])
    );
    (consumer, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_that_was_committed_before_a_kill_is_not_stored_again() {
    in_batches_of_some_sizes(async |batch| {
        let lab = lab(&[EVEN_PAYLOAD]).await;
        let (mut consumer, held) = halfway(&lab, &[]).await;
        consumer.kill9().await;
        held.close().await.unwrap();
        let _next = lab.consumer(&[("BATCH_MAX_MESSAGES", batch)]);
        assert_eq!(
            lab.passed(MESSAGES, SOON).await,
            Totals::of(MESSAGES),
            "in batches of {batch}"
        );
    })
    .await;
}

/// At once: each waits for the group to miss the killed consumer.
async fn in_batches_of_some_sizes(test: impl AsyncFn(&'static str)) {
    join_all(["700", "2500", "4000"].map(|batch| test(batch))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_that_waits_is_committed_when_it_can_be() {
    let lab = lab(&[EVEN_PAYLOAD]).await;
    let (_consumer, held) = halfway(&lab, &[]).await;
    held.close().await.unwrap();
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_whose_session_ends_is_tried_again_without_the_other() {
    let lab = lab(&[EVEN_PAYLOAD]).await;
    let (_consumer, held) = halfway(&lab, &[]).await;
    lab.pool()
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE application_name = 'pt-consumer' AND datname = current_database()",
        )
        .await
        .unwrap();
    held.close().await.unwrap();
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
}

/// Only the first consumer rejects an upload without an account: what it stored as a reject stays one.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_half_is_what_is_counted() {
    in_batches_of_some_sizes(async |batch| {
        let messages = numbered(0..MESSAGES).map(|message| {
            let text = String::from_utf8(message).unwrap();
            match text.contains(ODD_PAYLOAD) {
                true => text.replace(r#""account":"6089719","#, "").into_bytes(),
                false => text.into_bytes(),
            }
        });
        let lab = lab_with(messages.collect(), &[EVEN_PAYLOAD]).await;
        let strict = "org_id,service,request_id,status,date,account";
        let (mut consumer, held) = halfway(&lab, &[("REQUIRED_FIELDS", strict)]).await;
        consumer.kill9().await;
        held.close().await.unwrap();
        let _next = lab.consumer(&[("BATCH_MAX_MESSAGES", batch)]);
        let all = lab.passed(MESSAGES, SOON).await;
        assert_eq!(all, with_rejects(5), "in batches of {batch}");
    })
    .await;
}

/// All messages passed, of which so many are rejects.
fn with_rejects(rejects: i64) -> Totals {
    let good = MESSAGES as i64 - rejects;
    Totals {
        statuses: good,
        origins: good,
        rejects,
        stored: good,
        rejected: rejects,
        passed: MESSAGES as i64,
        ..Totals::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_refused_are_found_in_either_half() {
    let lab = lab(&[]).await;
    for request_id in [EVEN_PAYLOAD, ODD_PAYLOAD] {
        let name = format!("refuse_{}", &request_id[31..]);
        lab.pool()
            .execute(AssertSqlSafe(format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     RAISE EXCEPTION 'not this one'; END $$;
                 CREATE TRIGGER {name} BEFORE INSERT ON payloads FOR EACH ROW
                    WHEN (NEW.request_id = '{request_id}') EXECUTE FUNCTION {name}()"
            )))
            .await
            .unwrap();
    }
    let _consumer = lab.consumer(&ONE_BATCH);
    assert_eq!(lab.passed(MESSAGES, SOON).await, with_rejects(10));
}

/// In the consumer, for the odd one, which waits for a lock: a start tries the same statements out.
async fn even_half_waits(lab: &Lab) {
    eventually("a waiting half", SOON, || async {
        let (even, odd): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE state = 'idle in transaction'
                                       AND query LIKE '%INTO payload_statuses%'),
                    count(*) FILTER (WHERE wait_event_type = 'Lock')
               FROM pg_stat_activity
              WHERE application_name = 'pt-consumer' AND datname = current_database()",
        )
        .fetch_one(lab.pool())
        .await
        .unwrap();
        (even > 0 && odd > 0 && lab.totals().await.statuses == 0).then_some(())
    })
    .await;
}

/// The even half waits in the consumer for the odd one, which the server does not know. Here the odd one waits
/// for somebody who waits for the even one.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_that_the_server_cannot_see_ends_by_itself() {
    let lab = lab(&[EVEN_PAYLOAD, ODD_PAYLOAD]).await;
    let mut held = hold(&lab, ODD_PAYLOAD).await;
    let consumer = lab.consumer(&ONE_BATCH);
    even_half_waits(&lab).await;
    sqlx::query("UPDATE payloads SET account = '1' WHERE request_id = $1")
        .bind(EVEN_PAYLOAD)
        .execute(&mut held)
        .await
        .unwrap();
    held.execute("COMMIT").await.unwrap();
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
    let log = consumer.log();
    assert!(log.contains("the batch waits for the database"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_are_not_needed() {
    let lab = lab(&[]).await;
    let one = [("DB_MAX_CONNECTIONS", "1")];
    let _consumer = lab.consumer(&[&ONE_BATCH[..], &one[..]].concat());
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
    let offsets = offsets(&lab).await;
    assert!(offsets.values().all(|(_, odd)| *odd == 0), "{offsets:?}");
}

/// Those of names and partitions come first, then the odd half's, then the even half's.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_either_half_whose_answer_was_lost_is_settled_not_repeated() {
    for lost in 1..=6 {
        let lab = lab(&[]).await;
        let proxy = Proxy::to(lab.database.config().port).await;
        let port = proxy.port().to_string();
        let line = [("DB_PORT", port.as_str()), ("DB_HOST", "127.0.0.1")];
        proxy.lose_answers(b"COMMIT", lost);
        let _consumer = lab.consumer(&[&ONE_BATCH[..], &line[..]].concat());
        assert_eq!(
            lab.passed(MESSAGES, SOON).await,
            Totals::of(MESSAGES),
            "{lost}"
        );
        assert_eq!(proxy.answers_to_lose(), 0);
    }
}

/// It still believes to hold the lanes when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn who_froze_between_the_halves_writes_nothing_when_another_has_its_lanes() {
    let lab = lab(&[EVEN_PAYLOAD]).await;
    let session = [("KAFKA_SESSION_TIMEOUT_MS", "6000")];
    let (mut frozen, held) = halfway(&lab, &session).await;
    frozen.signal(Signal::Stop);
    held.close().await.unwrap();
    let _other = lab.consumer(&[&[("BATCH_MAX_MESSAGES", "2500")][..], &session].concat());
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
    frozen.signal(Signal::Continue);
    eventually("the group's answer", SOON, || async {
        frozen.log().contains("lanes revoked").then_some(())
    })
    .await;
    assert_eq!(lab.totals().await, Totals::of(MESSAGES));
}

/// Five statuses of a payload, each in another partition.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_write_halves_of_the_same_payloads_agree() {
    let lab = Lab::with_partitions(5).await;
    let messages: Vec<_> = numbered(0..3 * MESSAGES).collect();
    for partition in 0..5 {
        let some = messages.iter().skip(partition).step_by(5).cloned();
        lab.kafka.send(Some(partition as i32), some).await;
    }
    let settings = [
        ("BATCH_MAX_MESSAGES", "3000"),
        ("BATCH_MAX_WAIT_MS", "2000"),
        ("KAFKA_AUTO_OFFSET_RESET", "earliest"),
    ];
    let _consumers = [lab.consumer(&settings), lab.consumer(&settings)];
    assert_eq!(
        lab.passed(3 * MESSAGES, SOON).await,
        Totals::of(3 * MESSAGES)
    );
    let payloads: i64 = sqlx::query_scalar("SELECT count(*) FROM payloads")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert_eq!(payloads as usize, 3 * MESSAGES / 5);
    let odd: i64 = sqlx::query_scalar("SELECT sum(next_offset)::bigint FROM odd_offsets")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert!(odd > 0, "no batch was divided");
}

/// A statement that wants a table for itself stands in the queue before the odd half, behind the even one.
#[tokio::test(flavor = "multi_thread")]
async fn who_wants_a_table_waits_for_both_halves_and_holds_up_none() {
    let lab = lab(&[ODD_PAYLOAD]).await;
    let held = hold(&lab, ODD_PAYLOAD).await;
    let consumer = lab.consumer(&ONE_BATCH);
    even_half_waits(&lab).await;
    let mut other = support::connect(&lab.database.config()).await.unwrap();
    let lock = async {
        let lock = "BEGIN; LOCK TABLE payload_ids, payload_statuses; COMMIT";
        other.execute(sqlx::raw_sql(lock)).await.unwrap();
    };
    let release = async {
        eventually("somebody in the queue", SOON, || async {
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = database
                  WHERE datname = current_database() AND NOT granted
                    AND mode = 'AccessExclusiveLock')",
            )
            .fetch_one(lab.pool())
            .await
            .unwrap();
            waits.then_some(())
        })
        .await;
        held.close().await.unwrap();
    };
    tokio::join!(lock, release);
    assert_eq!(lab.passed(MESSAGES, SOON).await, Totals::of(MESSAGES));
    assert!(
        !consumer.log().contains("the batch waits"),
        "{}",
        consumer.log()
    );
}
