//! Rejects found, shown and redriven by an operator.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use sea_orm::sqlx::{self, AssertSqlSafe, PgPool};
use serde_json::{Value, json};

use super::tool::{Said, pt, pt_with_input};
use crate::ingest::lab::{Lab, SOON};
use crate::support::{self, Process, TestDatabase, eventually};

/// What makes a message without org_id a good one.
const WITHOUT_ORG_ID: (&str, &str) = ("REQUIRED_FIELDS", "service,request_id,status,date");

/// Runs `pt rejects` on this database.
async fn rejects(database: &TestDatabase, args: &[&str], settings: &[(&str, &str)]) -> Said {
    pt(&[&["rejects"], args].concat(), envs(database, settings)).await
}

fn envs(database: &TestDatabase, settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let user = [("USER".to_owned(), "ann".to_owned())];
    database.env().into_iter().chain(user).chain(own).collect()
}

/// A status as JSON, without an org_id, dated now.
fn without_org_id(number: usize) -> Value {
    let date = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({
        "service": "MQ", "status": "received", "request_id": format!("{:032x}", number / 3),
        "date": date, "inventory_id": "766637dd653f4bf099a1a117b455cd96",
        "status_msg": format!("message {number}"), "source": "it",
    })
}

/// Stores a reject of partition 3 with this value and gives its id.
async fn put(pool: &PgPool, offset: i64, value: &str) -> i64 {
    sqlx::query_scalar(
        "INSERT INTO rejects (topic, partition, \"offset\", value, reason, detail, service)
         VALUES ('t', 3, $1, $2, 'missing_field', 'org_id is missing', 'mq') RETURNING id",
    )
    .bind(offset)
    .bind(value.as_bytes())
    .fetch_one(pool)
    .await
    .unwrap()
}

/// As many rejects without org_id, three for each payload.
async fn put_many(pool: &PgPool, count: usize) {
    let values: Vec<Vec<u8>> = (0..count)
        .map(|number| without_org_id(number).to_string().into_bytes())
        .collect();
    sqlx::query(
        "INSERT INTO rejects (topic, partition, \"offset\", value, reason, detail, service)
         SELECT 't', n % 7, n, value, 'missing_field', 'org_id is missing', 'mq'
           FROM unnest($1::bytea[]) WITH ORDINALITY AS v(value, n)",
    )
    .bind(values)
    .execute(pool)
    .await
    .unwrap();
}

/// Whatever happened: each redriven reject is one status, with its origin, one record, and counted.
/// Gives how many there are.
async fn redriven(pool: &PgPool) -> i64 {
    let (redriven, statuses, origins, records, counted): (i64, i64, i64, i64, i64) =
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM rejects WHERE redriven_at IS NOT NULL),
                (SELECT count(*) FROM payload_statuses),
                (SELECT count(*) FROM rejects r JOIN payload_statuses s
                     ON s.origin_partition = r.partition AND s.origin_offset = r.\"offset\"
                  WHERE redriven_at IS NOT NULL),
                (SELECT count(DISTINCT reject_id) FROM redrives WHERE outcome = 'stored'),
                (SELECT coalesce(sum(redriven), 0)::bigint FROM redriven_counts)",
        )
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!([statuses, origins, records, counted], [redriven; 4]);
    redriven
}

async fn records(pool: &PgPool) -> Vec<(i64, String, Option<Vec<u8>>, String)> {
    sqlx::query_as("SELECT reject_id, by, edited, outcome FROM redrives ORDER BY id")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_for_a_setting_is_stored_by_another() {
    let lab = Lab::with_partitions(2).await;
    let messages: Vec<Vec<u8>> = (0..9)
        .map(|n| without_org_id(n).to_string().into_bytes())
        .collect();
    lab.kafka.send(Some(1), messages).await;
    let mut consumer = lab.consumer(&[]);
    let before = lab.passed(9, SOON).await;
    assert!(consumer.terminate().await.success());
    assert_eq!((before.rejected, before.stored), (9, 0));
    let redrive = ["redrive", "--reason", "missing_field", "--service", "mq"];

    // By the old settings they are rejected again, each with a record.
    let said = rejects(&lab.database, &redrive, &[]).await;
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (1, "pt: 9 of 9 were not stored\n"),
        "{said:?}"
    );
    assert!(
        said.stdout
            .ends_with("0 of 9 stored, 9 rejected again (missing_field)\n"),
        "{said:?}"
    );
    assert!(
        said.stdout
            .contains("1: rejected again, missing_field: org_id is missing"),
        "{said:?}"
    );
    assert_eq!(redriven(lab.pool()).await, 0);
    assert_eq!(records(lab.pool()).await.len(), 9);

    // A dry run changes nothing.
    let dry = [&redrive[..], &["--dry-run"]].concat();
    let said = rejects(&lab.database, &dry, &[WITHOUT_ORG_ID]).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "9 of 9 would be stored\n"),
        "{said:?}"
    );
    assert_eq!(redriven(lab.pool()).await, 0);

    sqlx::query("UPDATE producer_hours SET stale = false")
        .execute(lab.pool())
        .await
        .unwrap();
    let said = rejects(&lab.database, &redrive, &[WITHOUT_ORG_ID]).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "9 of 9 stored\n"),
        "{said:?}"
    );
    assert_eq!(redriven(lab.pool()).await, 9);
    let said = rejects(&lab.database, &redrive, &[WITHOUT_ORG_ID]).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "0 of 0 stored\n"),
        "{said:?}"
    );

    // Their hour is judged once more, and they are not counted again.
    let (messages, stale): (i64, bool) =
        sqlx::query_as("SELECT sum(messages)::bigint, bool_or(stale) FROM producer_hours")
            .fetch_one(lab.pool())
            .await
            .unwrap();
    assert_eq!((messages, stale), (9, true));

    // They are as if they had come from Kafka, and what consumption counted stands.
    let rows: Vec<(String, String, String, String, i32, i64)> = sqlx::query_as(
        "SELECT p.request_id, p.inventory_id, v.name, s.status_msg, origin_partition, origin_offset
           FROM payload_statuses s JOIN payloads p ON p.id = payload_id
           JOIN services v ON v.id = service_id JOIN payload_ids i ON i.payload_id = p.id
          WHERE p.first_day = s.date::date ORDER BY origin_offset",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap();
    assert_eq!(rows.len(), 9);
    let (request_id, host, service, message, partition, offset) = &rows[4];
    assert_eq!(request_id, "00000000000000000000000000000001");
    assert_eq!(host, "766637dd-653f-4bf0-99a1-a117b455cd96");
    assert_eq!((service.as_str(), message.as_str()), ("mq", "message 4"));
    assert_eq!((*partition, *offset), (1, 4));
    let after = lab.totals().await;
    assert_eq!(
        (after.stored, after.rejected, after.passed),
        (before.stored, before.rejected, before.passed)
    );
    let record = &records(lab.pool()).await[9];
    assert_eq!(
        (record.1.as_str(), &record.2, record.3.as_str()),
        ("ann", &None, "stored")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_message_takes_the_place_of_the_kept_one() {
    let database = support::database().await;
    let id = put(&database.pool, 7, "{broken").await.to_string();
    let shown = rejects(&database, &["show", &id, "--value"], &[]).await;
    assert_eq!(shown.stdout, "{broken");

    // Still bad.
    let edit = [
        "rejects",
        "redrive",
        id.as_str(),
        "--edit",
        "-",
        "--by",
        "bob",
    ];
    let said = pt_with_input(&edit, envs(&database, &[]), b"{\"a\":1}").await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stdout
            .contains("1: rejected again, missing_field: request_id is missing"),
        "{said:?}"
    );
    let mut good = without_org_id(1);
    good["org_id"] = json!("11789772");
    let good = good.to_string();
    let dry = [&edit[..], &["--dry-run"]].concat();
    let said = pt_with_input(&dry, envs(&database, &[]), good.as_bytes()).await;
    assert_eq!(
        (said.code, redriven(&database.pool).await),
        (0, 0),
        "{said:?}"
    );
    let said = pt_with_input(&edit, envs(&database, &[]), good.as_bytes()).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "1: stored\n1 of 1 stored\n"),
        "{said:?}"
    );
    assert_eq!(redriven(&database.pool).await, 1);
    let told: Vec<_> = records(&database.pool).await;
    let edited = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(
        told,
        [
            (
                1,
                "bob".to_owned(),
                edited("{\"a\":1}"),
                "missing_field".to_owned()
            ),
            (1, "bob".to_owned(), edited(&good), "stored".to_owned()),
        ]
    );
    // The reject keeps what came.
    let kept: Vec<u8> = sqlx::query_scalar("SELECT value FROM rejects")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(kept, b"{broken");

    let said = pt_with_input(&edit, envs(&database, &[]), good.as_bytes()).await;
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (1, "pt: 1 of 1 were not stored\n")
    );
    assert!(
        said.stdout.starts_with("1: refused, it was redriven at 20"),
        "{said:?}"
    );
    assert_eq!(redriven(&database.pool).await, 1);
    assert_eq!(records(&database.pool).await.len(), 2);

    let shown = rejects(&database, &["show", &id], &[]).await;
    for line in [
        "reason      missing_field\n",
        "from        t, partition 3, offset 7\n",
        "value       {broken  (7 bytes)\n",
        " by bob: missing_field: request_id is missing",
        " by bob: stored\n",
        "edited to {\"a\":1}  (7 bytes)\n",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_the_database_refuses_keeps_no_other_back() {
    let database = support::database().await;
    put_many(&database.pool, 40).await;
    refuse(&database.pool, "message 17").await;
    let said = rejects(&database, &["redrive", "--since", "1h"], &[WITHOUT_ORG_ID]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("18: rejected again, refused_by_database: PostgreSQL refuses the row, SQLSTATE 22P05: not this one"), "{said:?}");
    assert!(
        said.stdout
            .ends_with("39 of 40 stored, 1 rejected again (refused_by_database)\n"),
        "{said:?}"
    );
    assert_eq!(redriven(&database.pool).await, 39);
    let told = records(&database.pool).await;
    assert_eq!(told.len(), 40);
    assert_eq!(
        told.iter()
            .filter(|(id, .., outcome)| *id == 18 && outcome == "refused_by_database")
            .count(),
        1
    );
}

async fn refuse(pool: &PgPool, message: &str) {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = '22P05'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON payload_statuses FOR EACH ROW
         WHEN (NEW.status_msg = '{message}') EXECUTE FUNCTION refuse()"
    )))
    .execute(pool)
    .await
    .unwrap();
}

/// What was good in its time may be too old now, or a name too much.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_are_todays() {
    let database = support::database().await;
    let mut old = without_org_id(1);
    old["date"] = json!((Utc::now() - TimeDelta::days(9)).to_rfc3339());
    put(&database.pool, 1, &old.to_string()).await;
    put(&database.pool, 2, &without_org_id(2).to_string()).await;
    let mut other = without_org_id(3);
    other["service"] = json!("other");
    put(&database.pool, 3, &other.to_string()).await;
    let settings = [WITHOUT_ORG_ID, ("MAX_NAMES", "1")];
    let said = rejects(&database, &["redrive", "1", "2", "3", "2", "99"], &settings).await;
    assert_eq!(said.code, 1, "{said:?}");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(
        lines[0].starts_with("1: rejected again, date_out_of_range: "),
        "{said:?}"
    );
    assert_eq!(lines[1], "2: stored", "{said:?}");
    assert!(
        lines[2].starts_with("3: rejected again, too_many_names: service is \"other\""),
        "{said:?}"
    );
    assert_eq!(
        lines[3],
        "99: there is no such reject; they are kept for 30 days"
    );
    assert_eq!(
        lines[4],
        "1 of 4 stored, 1 rejected again (date_out_of_range), 1 rejected again (too_many_names), 1 not found"
    );
    assert_eq!(redriven(&database.pool).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_at_once_store_each_once() {
    let database = support::database().await;
    put_many(&database.pool, 3_000).await;
    let redrive = ["redrive", "--reason", "missing_field"];
    let settings = [WITHOUT_ORG_ID];
    let (one, other) = tokio::join!(
        rejects(&database, &redrive, &settings),
        rejects(&database, &redrive, &settings)
    );
    let stored = |said: &Said| -> i64 {
        let summary = said.stdout.lines().last().unwrap();
        summary.split(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(stored(&one) + stored(&other), 3_000, "{one:?} {other:?}");
    assert_eq!(redriven(&database.pool).await, 3_000);
}

/// Both want the same one: who comes second is told.
#[tokio::test(flavor = "multi_thread")]
async fn who_waited_for_a_reject_that_another_redrove_is_told() {
    let database = support::database().await;
    let pool = &database.pool;
    put(pool, 1, &without_org_id(1).to_string()).await;
    let mut first = pool.begin().await.unwrap();
    sqlx::query("UPDATE rejects SET redriven_at = now()")
        .execute(&mut *first)
        .await
        .unwrap();
    let second = tokio::spawn(pt(
        &["rejects", "redrive", "1"],
        envs(&database, &[WITHOUT_ORG_ID]),
    ));
    eventually("the second to wait", Duration::from_secs(20), || async {
        let waits: Option<i32> = sqlx::query_scalar(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = 'pt' AND wait_event_type = 'Lock'",
        )
        .fetch_optional(pool)
        .await
        .unwrap();
        waits
    })
    .await;
    first.commit().await.unwrap();
    let said = second.await.unwrap();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stdout.starts_with("1: refused, it was redriven at "),
        "{said:?}"
    );
    let statuses: i64 = sqlx::query_scalar("SELECT count(*) FROM payload_statuses")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!((statuses, records(pool).await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_is_killed_goes_on_where_it_was() {
    let database = support::database().await;
    let pool = &database.pool;
    put_many(pool, 6_000).await;
    let redrive = ["rejects", "redrive", "--reason", "missing_field"];
    let mut kills = 0;
    loop {
        let done = redriven(pool).await;
        if done == 6_000 {
            break;
        }
        let mut process = Process::spawn_with("pt", &redrive, envs(&database, &[WITHOUT_ORG_ID]));
        let more = eventually("more to be redriven", SOON, || async {
            let now: i64 =
                sqlx::query_scalar("SELECT count(*) FROM rejects WHERE redriven_at IS NOT NULL")
                    .fetch_one(pool)
                    .await
                    .unwrap();
            (now > done).then_some(now)
        })
        .await;
        process.kill9().await;
        kills += i32::from(more < 6_000);
    }
    assert!(kills > 1, "it was killed in the middle {kills} times");
    assert_eq!(redriven(pool).await, 6_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_what_there_is() {
    let database = support::database().await;
    sqlx::raw_sql(
        "INSERT INTO rejects (topic, partition, \"offset\", reason, detail, service, request_id, received_at, redriven_at)
         VALUES ('t', 0, 1, 'malformed', E'bad\\x1b[31m', NULL, NULL, now() - interval '3 h', NULL),
                ('t', 1, 2, 'missing_field', 'org_id is missing', 'puptoo', '0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d',
                 now() - interval '1 h', now()),
                ('t', 2, 3, 'missing_field', 'org_id is missing', 'puptoo', NULL, now(), NULL)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let all = rejects(&database, &["list"], &[]).await;
    assert_eq!(all.code, 0, "{all:?}");
    let lines: Vec<&str> = all.stdout.lines().collect();
    assert!(lines[0].starts_with("ID  RECEIVED UTC"), "{all:?}");
    assert!(
        lines[1].starts_with("3 ")
            && lines[1].ends_with("puptoo   missing_field  org_id is missing"),
        "{all:?}"
    );
    assert!(
        lines[2].ends_with("(redriven) org_id is missing"),
        "{all:?}"
    );
    assert!(
        lines[3].contains(" -        malformed      bad\u{fffd}[31m"),
        "{all:?}"
    );
    assert_eq!(lines[4], "3 rejects");
    for (filter, ids) in [
        (&["--service", "Puptoo"][..], vec!["3", "2"]),
        (&["--reason", "malformed"], vec!["1"]),
        (&["--service", "puptoo", "--reason", "malformed"], vec![]),
        (
            &["--request-id", "0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D"],
            vec!["2"],
        ),
        (&["--partition", "2"], vec!["3"]),
        (&["--since", "2h"], vec!["3", "2"]),
        (&["--until", "2h"], vec!["1"]),
        (&["--open"], vec!["3", "1"]),
        (&["--redriven"], vec!["2"]),
        (&["--limit", "1"], vec!["3"]),
    ] {
        let said = rejects(&database, &[&["list"], filter].concat(), &[]).await;
        assert_eq!(said.code, 0, "{filter:?}: {said:?}");
        let lines: Vec<&str> = said.stdout.lines().collect();
        let listed = lines[1..lines.len() - 1]
            .iter()
            .filter_map(|line| line.split(' ').next());
        assert_eq!(listed.collect::<Vec<_>>(), ids, "{filter:?}");
    }
    let one = rejects(&database, &["list", "--limit", "1"], &[]).await;
    assert!(
        one.stdout
            .ends_with("3 rejects; the newest 1 are listed (--limit)\n"),
        "{one:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_exits_with_2_and_what_is_not_there_with_1() {
    let database = support::database().await;
    for (args, word) in [
        (&["redrive"][..], "--reason"),
        (
            &["redrive", "1", "--reason", "malformed"],
            "cannot be used with",
        ),
        (&["redrive", "--reason", "bad"], "date_out_of_range"),
        (&["redrive", "--since", "soon"], "RFC 3339"),
        (&["redrive", "1", "2", "--edit", "-"], "one id"),
        (&["redrive", "--service", "a", "--edit", "-"], "one id"),
        (
            &["redrive", "1", "--edit", "/nowhere/17.json"],
            "/nowhere/17.json",
        ),
        (&["redrive", "one"], "one"),
        (&["list", "--open", "--redriven"], "cannot be used with"),
        (&["list", "--limit", "0"], "0"),
        (&["show"], "<ID>"),
    ] {
        let said = rejects(&database, args, &[]).await;
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.stderr.contains(word), "{args:?}: {said:?}");
    }
    let said = rejects(&database, &["show", "4711"], &[]).await;
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            1,
            "pt: there is no reject 4711; they are kept for 30 days\n"
        )
    );
    let wrong = rejects(&database, &["redrive", "1"], &[("RETENTION_DAYS", "x")]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}
