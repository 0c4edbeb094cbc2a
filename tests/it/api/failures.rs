//! `/failures`, and how failures are counted.

use serde_json::{Value, json};

use super::learnt::{Known, Said, World, known, said};

async fn fail(world: &World, request: &str, org: &str, message: &str, ago: i64) {
    let named = Known {
        org_id: Some(org.to_owned()),
        ..known(request)
    };
    let failed = Said {
        message,
        ..said("puptoo", "failed", world.ago(ago))
    };
    world.say(&named, failed).await;
}

async fn failures(world: &World, since: &str) -> Vec<Value> {
    let list = world.api.json(&format!("/failures?since={since}")).await;
    list["data"].as_array().unwrap().clone()
}

fn ranked(rows: &[Value]) -> Vec<(&str, i64, i64)> {
    let number = |value: &Value| value.as_i64().unwrap();
    rows.iter()
        .map(|row| {
            (
                row["fingerprint"].as_str().unwrap(),
                number(&row["payloads"]),
                number(&row["orgs"]),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn most_payloads_come_first_then_most_orgs() {
    let world = World::new().await;
    for n in 0..5 {
        fail(
            &world,
            &format!("a{n}"),
            "1",
            &format!("row {n} is bad"),
            100 + n * 60,
        )
        .await;
        fail(
            &world,
            &format!("b{n}"),
            &n.to_string(),
            &format!("'{n}' is missing"),
            100 + n * 60,
        )
        .await;
    }
    fail(&world, "c", "1", "", 50).await;
    world
        .say(&known("fine"), said("puptoo", "success", world.ago(1)))
        .await;
    world.learn().await;
    let rows = failures(&world, "1h").await;
    assert_eq!(
        ranked(&rows),
        [
            ("<value> is missing", 5, 5),
            ("row <n> is bad", 5, 1),
            ("", 1, 1)
        ]
    );
    let first = &rows[0];
    assert_eq!(first["service"], "puptoo");
    assert_eq!(first["examples"], json!(["b0", "b1", "b2"]), "the latest");
    let explained = world.explain("b0").await;
    assert_eq!(first["fingerprint_id"], explained["why"]["fingerprint_id"]);
    assert_eq!(first["last_seen"], explained["why"]["date"]);
    assert_eq!(
        first["first_seen"],
        world.explain("b4").await["why"]["date"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_fails_so_again_is_the_same_payload() {
    let world = World::new().await;
    for ago in [7_000, 3_000, 3_000, 100, 99] {
        fail(&world, "again", "1", &format!("timeout after {ago} s"), ago).await;
    }
    fail(&world, "again", "1", "gave up", 50).await;
    fail(&world, "another", "1", "timeout after 1 s", 98).await;
    world.learn().await;
    world.learn().await;
    let rows = failures(&world, "24h").await;
    assert_eq!(
        ranked(&rows),
        [("timeout after <n> s", 2, 1), ("gave up", 1, 1)]
    );
    let lately = failures(&world, "1h").await;
    assert_eq!(
        ranked(&lately),
        [("gave up", 1, 1), ("timeout after <n> s", 1, 1)]
    );
}

/// Neither the order of commits nor the date of what comes late matters.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_counted() {
    let world = World::new().await;
    fail(&world, "one", "1", "bad", 100).await;
    fail(&world, "old", "1", "bad", 30 * 3_600).await;
    world.learn().await;
    fail(&world, "two", "2", "bad", 100).await;
    fail(&world, "late", "3", "bad", 30 * 3_600 + 1).await;
    world.learn().await;
    assert_eq!(
        ranked(&failures(&world, "7d").await),
        [("bad", 3, 2)],
        "nobody was told of that hour"
    );
    world
        .sql("INSERT INTO producer_hours (hour, service) VALUES (date_trunc('hour', now() - interval '30 hours 1 second'), 'puptoo')")
        .await;
    world.learn().await;
    assert_eq!(ranked(&failures(&world, "7d").await), [("bad", 4, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn since_takes_durations_and_times() {
    let world = World::new().await;
    for since in ["90m", "7d", "1s", &world.ago(60).to_rfc3339()] {
        failures(&world, since).await;
    }
    for wrong in ["8d", "soon", "-1h", "2100-01-01"] {
        let (status, message) = world.api.problem(&format!("/failures?since={wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(message.contains("at most 7 days ago"), "{message}");
    }
    let list = world.api.json("/failures").await;
    assert_eq!(list["data"], json!([]));
}

/// More than one piece of a minute, and more than a page.
#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_many_failures_is_counted_whole() {
    let world = World::new().await;
    fail(&world, "one", "1", "bad 1", 100).await;
    world
        .sql(
            "INSERT INTO payloads (request_id, org_id) SELECT 'r' || n, n % 7 FROM generate_series(1, 4000) AS n;
             INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date)
             SELECT p.id, s.service_id, s.status_id, 'bad ' || p.id,
                    date_trunc('minute', s.date) + (p.id % 60) * interval '1 second'
               FROM payloads AS p, (SELECT * FROM payload_statuses LIMIT 1) AS s WHERE request_id <> 'one'",
        )
        .await;
    world.learn().await;
    assert_eq!(
        ranked(&failures(&world, "1h").await),
        [("bad <n>", 4_001, 7)]
    );
}
