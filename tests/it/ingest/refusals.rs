//! The database answers, but not as wished: each class of refusal, for real.

use std::time::Duration;

use chrono::Utc;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, PgPool};

use super::lab::{Lab, SOON, Totals, is_not_ready, is_ready, numbered};
use crate::support::{Process, eventually};

/// A good message with that text.
fn saying(number: usize, text: &str) -> Vec<u8> {
    let date = Utc::now().to_rfc3339();
    format!(
        r#"{{"service":"puptoo","status":"received","org_id":"1","request_id":"{number:032x}","status_msg":"{text}","date":"{date}"}}"#
    )
    .into_bytes()
}

/// Makes the database do `action` with every status whose message is "poison".
async fn on_poison(pool: &PgPool, action: &str) {
    let function = format!(
        "CREATE FUNCTION on_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.status_msg = 'poison' THEN {action}; END IF; RETURN NEW; END $$"
    );
    pool.execute(AssertSqlSafe(function)).await.unwrap();
    pool.execute(
        "CREATE TRIGGER on_poison BEFORE INSERT ON payload_statuses
         FOR EACH ROW EXECUTE FUNCTION on_poison()",
    )
    .await
    .unwrap();
}

/// An account that owns what the consumer needs, and is no superuser.
async fn ordinary_account(lab: &Lab) -> String {
    let name = format!("ordinary_{}", lab.kafka.topic.replace('-', "_"));
    let owner: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    let create = format!("CREATE ROLE {name} LOGIN PASSWORD 'old' IN ROLE {owner}");
    lab.pool().execute(AssertSqlSafe(create)).await.unwrap();
    name
}

/// Ends the consumer's sessions, and lets new ones meet what was changed meanwhile.
async fn end_sessions(lab: &Lab) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'pt-consumer' AND datname = current_database()",
    )
    .execute(lab.pool())
    .await
    .unwrap();
}

/// The consumer is stopped by what `broken` did, says `said`, and goes on after `mended`.
async fn is_held_until_mended(lab: &Lab, consumer: &Process, said: &str, mended: &str) {
    lab.kafka.send(Some(0), numbered(5..10)).await;
    let why = is_not_ready(consumer, said).await;
    assert!(why.contains("database"), "{why}");
    assert_eq!(consumer.probe("/live").await.unwrap().0, 200);
    assert_eq!(lab.totals().await.passed, 5, "nothing is committed");
    lab.pool()
        .execute(AssertSqlSafe(mended.to_owned()))
        .await
        .unwrap();
    assert_eq!(lab.passed(10, SOON).await, Totals::of(10));
    is_ready(consumer).await;
}

async fn started(lab: &Lab, settings: &[(&str, &str)]) -> Process {
    let consumer = lab.ready_consumer(settings).await;
    lab.kafka.send(Some(0), numbered(0..5)).await;
    lab.passed(5, SOON).await;
    consumer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_refused_becomes_a_reject_and_its_neighbours_are_stored() {
    for code in ["22001", "23514", "54000", "P0001"] {
        let lab = Lab::with_partitions(2).await;
        let raise =
            format!("RAISE EXCEPTION 'not this one' USING ERRCODE = '{code}', CONSTRAINT = 'c'");
        on_poison(lab.pool(), &raise).await;
        let texts = (0..1_000).map(|n| if n % 331 == 7 { "poison" } else { "fine" });
        let messages: Vec<_> = texts.enumerate().map(|(n, text)| saying(n, text)).collect();
        lab.kafka.send(Some(0), messages[..600].to_vec()).await;
        lab.kafka.send(Some(1), messages[600..].to_vec()).await;
        let consumer = lab
            .ready_consumer(&[("KAFKA_AUTO_OFFSET_RESET", "earliest")])
            .await;
        let expected = Totals {
            statuses: 997,
            origins: 997,
            rejects: 3,
            stored: 997,
            rejected: 3,
            passed: 1_000,
            ..Totals::default()
        };
        assert_eq!(lab.passed(1_000, SOON).await, expected, "{code}");
        let rejects: Vec<(i32, i64, String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT partition, \"offset\", reason, detail, value FROM rejects ORDER BY 1, 2",
        )
        .fetch_all(lab.pool())
        .await
        .unwrap();
        let places: Vec<_> = rejects.iter().map(|row| (row.0, row.1)).collect();
        assert_eq!(places, [(0, 7), (0, 338), (1, 69)]);
        let detail = format!("PostgreSQL refuses the row, SQLSTATE {code}: not this one");
        for ((.., reason, said, value), number) in rejects.iter().zip([7, 338, 669]) {
            assert_eq!((reason.as_str(), said), ("refused_by_database", &detail));
            assert_eq!(value, &messages[number]);
        }
        let metrics = consumer.probe("/metrics").await.unwrap().1;
        assert!(
            metrics.contains(
                r#"payload_tracker_rejects{reason="refused_by_database",service="puptoo"} 3"#
            ),
            "{metrics}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_runs_out_of_time_again_and_again_is_its_batchs_fault() {
    let lab = Lab::with_partitions(1).await;
    on_poison(lab.pool(), "PERFORM pg_sleep(3)").await;
    let texts = ["fine", "fine", "poison", "fine"];
    let messages = texts.iter().enumerate().map(|(n, text)| saying(n, text));
    lab.kafka.send(Some(0), messages).await;
    let _consumer = lab
        .ready_consumer(&[
            ("KAFKA_AUTO_OFFSET_RESET", "earliest"),
            ("DB_STATEMENT_TIMEOUT_MS", "500"),
        ])
        .await;
    let totals = lab.passed(4, SOON).await;
    assert_eq!((totals.statuses, totals.rejects), (3, 1));
    let detail: String = sqlx::query_scalar("SELECT detail FROM rejects WHERE \"offset\" = 2")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert!(detail.contains("57014"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_away_holds_the_batch_until_it_is_back() {
    let lab = Lab::with_partitions(1).await;
    let consumer = started(&lab, &[]).await;
    let rename = "ALTER TABLE payload_ids RENAME TO elsewhere";
    lab.pool().execute(rename).await.unwrap();
    let back = "ALTER TABLE elsewhere RENAME TO payload_ids";
    let said = "payload_ids";
    is_held_until_mended(&lab, &consumer, said, back).await;
    assert!(!consumer.log().contains("lanes revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_turned_read_only_holds_the_batch_and_stops_a_start() {
    let lab = Lab::with_partitions(1).await;
    let consumer = started(&lab, &[]).await;
    let name = lab.database.config().name;
    let turn = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    lab.pool().execute(AssertSqlSafe(turn)).await.unwrap();
    end_sessions(&lab).await;
    let mut another = lab.consumer(&[]);
    assert_eq!(another.exited(SOON).await.code(), Some(1));
    assert!(
        another.log().contains("in a read-only transaction"),
        "{}",
        another.log()
    );
    let back = format!(
        "BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'pt-consumer' AND datname = current_database()"
    );
    is_held_until_mended(&lab, &consumer, "in a read-only transaction", &back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_holds_the_batch_until_it_is_changed_back() {
    let lab = Lab::with_partitions(1).await;
    let account = ordinary_account(&lab).await;
    let login = [("DB_USER", account.as_str()), ("DB_PASSWORD", "old")];
    let consumer = started(&lab, &login).await;
    let change = format!("ALTER ROLE {account} PASSWORD 'new'");
    lab.pool().execute(AssertSqlSafe(change)).await.unwrap();
    end_sessions(&lab).await;
    let back = format!("ALTER ROLE {account} PASSWORD 'old'");
    is_held_until_mended(&lab, &consumer, "password authentication failed", &back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_connection_limit_is_waited_for() {
    let lab = Lab::with_partitions(1).await;
    let account = ordinary_account(&lab).await;
    let login = [("DB_USER", account.as_str()), ("DB_PASSWORD", "old")];
    let consumer = started(&lab, &login).await;
    let none = format!("ALTER ROLE {account} CONNECTION LIMIT 0");
    lab.pool().execute(AssertSqlSafe(none)).await.unwrap();
    end_sessions(&lab).await;
    let back = format!("ALTER ROLE {account} CONNECTION LIMIT -1");
    is_held_until_mended(&lab, &consumer, "pool timed out", &back).await;
    let refused = |class: &str| format!(r#"payload_tracker_batch_refusals{{class="{class}"}}"#);
    let metrics = consumer.probe("/metrics").await.unwrap().1;
    assert!(metrics.contains(&refused("transient")), "{metrics}");
    assert!(!metrics.contains(&refused("stalled")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_victim_of_a_deadlock_tries_again() {
    let lab = Lab::with_partitions(1).await;
    let consumer = started(&lab, &[]).await;
    // Both are even, and thus written in this order.
    let ids = [0x102, 0x104].map(|id| format!("{id:032x}"));
    lab.kafka
        .send(Some(0), [saying(0x102, "a"), saying(0x104, "b")])
        .await;
    lab.passed(7, SOON).await;
    let mut other = lab.pool().begin().await.unwrap();
    // This session never looks for deadlocks in time: the consumer's does.
    other
        .execute("SET LOCAL deadlock_timeout = '1h'")
        .await
        .unwrap();
    let touch = "UPDATE payloads SET account = 'x' WHERE request_id = $1";
    sqlx::query(touch)
        .bind(&ids[1])
        .execute(&mut *other)
        .await
        .unwrap();
    let date = Utc::now().to_rfc3339();
    let named = ids.clone().map(|id| {
        format!(
            r#"{{"service":"s","status":"t","org_id":"2","request_id":"{id}","date":"{date}"}}"#
        )
        .into_bytes()
    });
    lab.kafka.send(Some(0), named).await;
    eventually(
        "the consumer holds one row and waits for the other",
        SOON,
        || async {
            let waits: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pt-consumer'
                AND datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(lab.pool())
            .await
            .unwrap();
            (waits > 0).then_some(())
        },
    )
    .await;
    sqlx::query(touch)
        .bind(&ids[0])
        .execute(&mut *other)
        .await
        .unwrap();
    other.rollback().await.unwrap();
    assert_eq!(lab.passed(9, SOON).await, Totals::of(9));
    assert!(
        consumer.log().contains("deadlock detected"),
        "{}",
        consumer.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_make_a_partition_at_once_try_again_and_no_row_is_to_blame() {
    for code in ["23505", "42P07"] {
        let lab = Lab::with_partitions(1).await;
        lab.pool()
            .execute("ALTER FUNCTION create_partition RENAME TO really_create_partition")
            .await
            .unwrap();
        lab.pool()
            .execute("CREATE SEQUENCE attempts")
            .await
            .unwrap();
        let collide = format!(
            "CREATE FUNCTION create_partition(start timestamptz, stop timestamptz) RETURNS void
             LANGUAGE plpgsql AS $$ BEGIN
                 IF current_setting('application_name') = 'pt-consumer'
                    AND nextval('attempts') <= 2 THEN
                     RAISE EXCEPTION 'another made it' USING ERRCODE = '{code}';
                 END IF;
                 PERFORM really_create_partition(start, stop);
             END $$"
        );
        lab.pool().execute(AssertSqlSafe(collide)).await.unwrap();
        let consumer = started(&lab, &[]).await;
        assert_eq!(lab.totals().await, Totals::of(5), "{code}");
        let metrics = consumer.probe("/metrics").await.unwrap().1;
        let tried = r#"payload_tracker_batch_refusals{class="missing_partition"} 2"#;
        assert!(metrics.contains(tried), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_that_the_database_refuses_are_held_not_dropped() {
    let lab = Lab::with_partitions(1).await;
    let consumer = started(&lab, &[]).await;
    lab.pool()
        .execute("ALTER TABLE rejects ADD CONSTRAINT none CHECK (reason = '')")
        .await
        .unwrap();
    let good = numbered(5..7).collect::<Vec<_>>();
    let messages = [&good[0], &b"not json".to_vec(), &good[1]].map(Clone::clone);
    lab.kafka.send(Some(0), messages).await;
    let said = r#"violates check constraint \"none\""#;
    eventually("the refusal", SOON, || async {
        consumer.log().contains(said).then_some(())
    })
    .await;
    assert!(lab.totals().await.passed < 7);
    lab.pool()
        .execute("ALTER TABLE rejects DROP CONSTRAINT none")
        .await
        .unwrap();
    let totals = lab.passed(8, SOON).await;
    assert_eq!((totals.stored, totals.rejected), (7, 1));
    let reason: String = sqlx::query_scalar("SELECT reason FROM rejects")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert_eq!(reason, "malformed", "its neighbours are not to blame");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_beyond_the_limit_is_a_reject_and_known_names_go_on() {
    let lab = Lab::with_partitions(1).await;
    let _consumer = lab.ready_consumer(&[("MAX_NAMES", "3")]).await;
    let date = Utc::now().to_rfc3339();
    let of = |number: usize, status: &str| {
        format!(
            r#"{{"service":"s","source":"o","status":"{status}","org_id":"1","request_id":"{number:032x}","date":"{date}"}}"#
        )
        .into_bytes()
    };
    lab.kafka
        .send(Some(0), ["a", "b", "c"].map(|name| of(1, name)))
        .await;
    lab.passed(3, SOON).await;
    lab.kafka
        .send(
            Some(0),
            (4..24).map(|n| of(n, ["a", &format!("id {n}")][n % 2])),
        )
        .await;
    let totals = lab.passed(23, Duration::from_secs(60)).await;
    assert_eq!((totals.statuses, totals.rejects), (13, 10));
    let (reason, detail): (String, String) =
        sqlx::query_as("SELECT reason, detail FROM rejects ORDER BY \"offset\" LIMIT 1")
            .fetch_one(lab.pool())
            .await
            .unwrap();
    assert_eq!(reason, "too_many_names");
    assert!(detail.contains(r#"status is "id 5""#), "{detail}");
    assert!(detail.contains("MAX_NAMES"), "{detail}");
    let names: i64 = sqlx::query_scalar("SELECT count(*) FROM statuses")
        .fetch_one(lab.pool())
        .await
        .unwrap();
    assert_eq!(names, 3);
}
