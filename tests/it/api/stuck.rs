//! `/stuck`, and how payloads get there.

use chrono::{TimeDelta, Utc};
use payload_tracker::store::learning::stuck;
use serde_json::{Value, json};

use super::learnt::{Journey, Known, WHOLE, World, known, said};

const TO_PUPTOO: Journey = &[("ingress", "received", 0.0), ("ingress", "success", 1.0)];
const IN_PUPTOO: Journey = &[("ingress", "success", 0.0), ("puptoo", "processing", 2.0)];

/// Looks at payloads as the consumer does, some seconds from now.
async fn look(world: &World, seconds: i64) {
    let mut session = world.pool().acquire().await.unwrap();
    let now = Utc::now() + TimeDelta::seconds(seconds);
    while stuck::refresh(&mut session, now).await.unwrap() {}
}

async fn list(world: &World, older_than: &str) -> Vec<Value> {
    let list = world
        .api
        .json(&format!("/stuck?older_than={older_than}"))
        .await;
    list["data"].as_array().unwrap().clone()
}

fn told(rows: &[Value]) -> Vec<(&str, &str, i64)> {
    rows.iter()
        .map(|row| {
            (
                row["place"].as_str().unwrap(),
                row["service"].as_str().unwrap(),
                row["payloads"].as_i64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_payloads_are_listed_by_the_step_they_are_stuck_before() {
    let world = World::new().await;
    world.history(20, WHOLE).await;
    world.learn().await;
    for (n, ago) in [(1, 1_000), (2, 900), (3, 800)] {
        let named = Known {
            org_id: Some("7".to_owned()),
            ..known(format!("before-{n}"))
        };
        world.go(&named, TO_PUPTOO, world.ago(ago)).await;
    }
    world.go(&known("in"), IN_PUPTOO, world.ago(100)).await;
    world.go(&known("whole"), WHOLE, world.ago(100)).await;
    look(&world, 0).await;
    assert_eq!(
        list(&world, "0s").await,
        [] as [Value; 0],
        "too young to be looked at"
    );
    look(&world, 125).await;
    let rows = list(&world, "").await;
    assert_eq!(told(&rows), [("before", "puptoo", 3), ("in", "puptoo", 1)]);
    let first = &rows[0]["examples"][0];
    let explained = world.explain("before-1").await;
    assert_eq!(
        (&first["request_id"], &first["org_id"]),
        (&json!("before-1"), &json!("7"))
    );
    assert_eq!(first["since"], explained["since"]);
    assert_eq!(first["by"], explained["expected"][0]["by"]);
    assert_eq!(told(&list(&world, "5m").await), [("before", "puptoo", 3)]);
    assert_eq!(told(&list(&world, "850s").await), [("before", "puptoo", 2)]);
    assert_eq!(told(&list(&world, "1h").await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_payload_is_looked_at_until_it_ends() {
    let world = World::new().await;
    world.history(20, WHOLE).await;
    world.learn().await;
    look(&world, 0).await;
    world.go(&known("late"), TO_PUPTOO, world.ago(3_600)).await;
    world
        .say(&known("endless"), said("new", "processing", world.ago(60)))
        .await;
    look(&world, 20).await;
    look(&world, 150).await;
    assert_eq!(told(&list(&world, "0s").await), [("before", "puptoo", 1)]);
    world
        .say(&known("late"), said("puptoo", "error", Utc::now()))
        .await;
    look(&world, 170).await;
    assert_eq!(
        list(&world, "0s").await.len(),
        1,
        "not looked at within a minute"
    );
    look(&world, 220).await;
    assert_eq!(told(&list(&world, "0s").await), []);
    // Of what too few did nothing is known, and after a day nothing is waited for.
    let open = "SELECT count(*) FROM open_payloads";
    let count = || sea_orm::sqlx::query_scalar::<_, i64>(open).fetch_one(world.pool());
    assert_eq!(count().await.unwrap(), 1);
    look(&world, 86_400).await;
    assert_eq!(count().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_was_at_an_end_and_goes_on_is_looked_at_again() {
    let world = World::new().await;
    world.history(20, WHOLE).await;
    world.learn().await;
    for name in ["whole", "failed", "untouched"] {
        world.go(&known(name), WHOLE, world.ago(4_000)).await;
    }
    let error = said("puptoo", "error", world.ago(3_900));
    world.say(&known("failed"), error).await;
    look(&world, -180).await;
    look(&world, -50).await;
    let open = "SELECT count(*) FROM open_payloads";
    let count = || sea_orm::sqlx::query_scalar::<_, i64>(open).fetch_one(world.pool());
    assert_eq!(count().await.unwrap(), 0, "all are at an end");
    world
        .say(
            &known("whole"),
            said("puptoo", "processing", world.ago(300)),
        )
        .await;
    world
        .say(
            &known("failed"),
            said("puptoo", "processing", world.ago(300)),
        )
        .await;
    for request in ["whole", "failed"] {
        assert_eq!(world.explain(request).await["verdict"], "stuck");
    }
    look(&world, 5).await;
    assert_eq!(list(&world, "0s").await.len(), 0, "not looked through yet");
    look(&world, 75).await;
    assert_eq!(told(&list(&world, "0s").await), [("in", "puptoo", 2)]);
    assert_eq!(count().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_than_takes_durations_and_times() {
    let world = World::new().await;
    for older in ["90s", "7d", "0s", &world.ago(60).to_rfc3339()] {
        assert_eq!(list(&world, older).await, [] as [Value; 0]);
    }
    for wrong in ["soon", "-1h", "5", "2100-01-01"] {
        let (status, message) = world
            .api
            .problem(&format!("/stuck?older_than={wrong}"))
            .await;
        assert_eq!(status, 400, "{wrong}");
        assert!(message.starts_with("older_than "), "{message}");
    }
}
