//! `/explain/{id}`.

use serde_json::{Value, json};

use super::learnt::{Journey, Known, Said, WHOLE, World, is_near, known, said};

const HOUR: i64 = 3_600;

fn verdict(explained: &Value) -> &str {
    explained["verdict"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_statistics_only_the_payload_itself_speaks() {
    let world = World::new().await;
    for (id, journey, ago, expected) in [
        ("whole", WHOLE, 100, "succeeded"),
        (
            "alone",
            &[("ingress", "success", 0.0)] as Journey,
            100,
            "in_progress",
        ),
        (
            "quiet",
            &[("ingress", "success", 0.0)],
            24 * HOUR + 1,
            "unknown",
        ),
        (
            "working",
            &[("ingress", "success", 0.0), ("puptoo", "processing", 1.0)],
            HOUR,
            "in_progress",
        ),
        (
            "broken",
            &[("puptoo", "error", 0.0), ("inventory", "success", 1.0)],
            48 * HOUR,
            "failed",
        ),
    ] {
        world.go(&known(id), journey, world.ago(ago)).await;
        let explained = world.explain(id).await;
        assert_eq!(verdict(&explained), expected, "{explained}");
        assert_eq!(explained["statistics"], Value::Null);
        assert_eq!(explained["expected"], json!([]));
        assert_eq!(explained["path"][0]["took_usually"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_20_payloads_did_is_expected_of_the_next() {
    let world = World::new().await;
    world.history(19, WHOLE).await;
    world.learn().await;
    let half: Journey = &[("ingress", "received", 0.0), ("ingress", "success", 1.0)];
    world.go(&known("half"), half, world.ago(600)).await;
    let explained = world.explain("half").await;
    assert_eq!(
        verdict(&explained),
        "in_progress",
        "19 tell nothing: {explained}"
    );
    assert_eq!(explained["statistics"]["payloads"], 19);

    world
        .go(&known("twentieth"), WHOLE, world.ago(2 * HOUR))
        .await;
    world.learn_in(2 * HOUR).await;
    let explained = world.explain("half").await;
    assert_eq!(verdict(&explained), "stuck", "{explained}");
    assert_eq!(explained["at"]["service"], "ingress");
    assert_eq!(
        explained["before"],
        json!({ "service": "puptoo", "source": null })
    );
    assert_eq!(explained["since"], explained["path"][0]["left"]);
    let [puptoo, inventory] = explained["expected"].as_array().unwrap().as_slice() else {
        panic!("{explained}");
    };
    assert_eq!(
        (&puptoo["service"], &inventory["service"]),
        (&json!("puptoo"), &json!("inventory"))
    );
    assert!(
        is_near(&puptoo["p95"], 2.0) && is_near(&inventory["p50"], 32.0),
        "{explained}"
    );
    assert!(puptoo["overdue"].as_f64().unwrap() > 590.0, "{explained}");
    let summary = explained["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("It is stuck before puptoo: it left ingress at 20"),
        "{summary}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_has_waits_and_what_is_usual() {
    let world = World::new().await;
    world.history(40, WHOLE).await;
    world.learn().await;
    let slow: Journey = &[
        ("ingress", "received", 0.0),
        ("ingress", "success", 1.0),
        ("puptoo", "processing", 30.0),
        ("puptoo", "success", 40.0),
        ("inventory", "received", 60.0),
        ("inventory", "success", 61.0),
    ];
    world.go(&known("slow"), slow, world.ago(100)).await;
    let explained = world.explain("slow").await;
    assert_eq!(verdict(&explained), "succeeded", "{explained}");
    assert_eq!(explained["expected"], json!([]));
    let path = explained["path"].as_array().unwrap();
    let services: Vec<_> = path
        .iter()
        .map(|step| step["service"].as_str().unwrap())
        .collect();
    assert_eq!(services, ["ingress", "puptoo", "inventory"]);
    assert_eq!(
        (&path[0]["waited"], &path[0]["waited_usually"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&path[1]["waited"], &path[2]["waited"]),
        (&json!(29.0), &json!(20.0))
    );
    assert_eq!(
        (&path[1]["took"], &path[2]["took"]),
        (&json!(10.0), &json!(1.0))
    );
    assert_eq!(path[1]["waited_usually"]["compared"], "past_p95");
    assert_eq!(path[2]["took_usually"]["compared"], "within_p50");
    assert_eq!(path[1]["took_usually"]["samples"], 40);
    assert!(
        is_near(&path[1]["took_usually"]["p50"], 10.0),
        "{explained}"
    );
    assert_eq!(
        (&path[1]["statuses"], &path[1]["class"]),
        (&json!(2), &json!("success"))
    );
    assert_eq!(
        (&path[1]["status"], &path[1]["source"]),
        (&json!("success"), &Value::Null)
    );
    assert_eq!(world.explain("slow").await["path"], explained["path"]);
}

/// At a step whose p95 is 10 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_in_progress_is_stuck_past_its_p95() {
    let world = World::new().await;
    world.history(20, WHOLE).await;
    world.learn().await;
    let within: Journey = &[("ingress", "success", 0.0), ("puptoo", "processing", 2.0)];
    world.go(&known("fresh"), within, world.ago(3)).await;
    world.go(&known("old"), within, world.ago(60)).await;
    let fresh = world.explain("fresh").await;
    assert_eq!(verdict(&fresh), "in_progress", "{fresh}");
    let what = |one: &Value| {
        (
            one["what"].clone(),
            one["service"].clone(),
            one["by"].is_null(),
        )
    };
    let expected: Vec<_> = fresh["expected"]
        .as_array()
        .unwrap()
        .iter()
        .map(what)
        .collect();
    assert_eq!(
        expected,
        [
            (json!("end"), json!("puptoo"), false),
            (json!("entry"), json!("inventory"), true)
        ]
    );
    let old = world.explain("old").await;
    assert_eq!(
        (verdict(&old), &old["at"]["service"]),
        ("stuck", &json!("puptoo"))
    );
    assert_eq!(
        (&old["before"], &old["since"]),
        (&Value::Null, &old["path"][1]["entered"])
    );
    assert_eq!(old["path"][1]["took_usually"]["compared"], "past_p95");
}

fn failing<'a>(message: &'a str, world: &World, ago: i64) -> Said<'a> {
    Said {
        message,
        ..said("puptoo", "error", world.ago(ago))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_its_message_and_those_like_it() {
    let world = World::new().await;
    for n in 0..5 {
        let message = format!("no space on /mnt/{n}: {n} kB needed");
        world
            .say(&known(n), failing(&message, &world, 600 + n))
            .await;
    }
    world
        .say(
            &known("earlier"),
            failing("no space on /a: 7 kB needed", &world, 2 * HOUR),
        )
        .await;
    world
        .say(&known("other"), failing("no host", &world, 10))
        .await;
    let mut uncounted = world.explain("3").await;
    assert_eq!(uncounted["why"]["similar"].take(), Value::Null);
    world.learn().await;
    let explained = world.explain("3").await;
    assert_eq!(verdict(&explained), "failed");
    let why = &explained["why"];
    assert_eq!(why["message"], "no space on /mnt/3: 3 kB needed");
    assert_eq!(why["fingerprint"], "no space on <path>: <n> kB needed");
    assert_eq!(
        (&why["service"], &why["status"]),
        (&json!("puptoo"), &json!("error"))
    );
    assert_eq!(why["similar"]["payloads_last_hour"], 4);
    let first = world.explain("earlier").await;
    assert_eq!(why["similar"]["first_seen"], first["why"]["date"]);
    assert_eq!(
        first["why"]["similar"]["payloads_last_hour"], 5,
        "itself is not of this hour"
    );
    let other = world.explain("other").await;
    assert_eq!(other["why"]["similar"]["payloads_last_hour"], 0);
    assert_eq!(explained["expected"], json!([]));
    let summary = explained["summary"].as_str().unwrap();
    assert!(
        summary.ends_with(": no space on /mnt/3: 3 kB needed"),
        "{summary}"
    );
    assert_eq!(
        world.explain("other").await["why"]["fingerprint"],
        "no host"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_does_not_count_is_not_taken_away() {
    let world = World::new().await;
    for (request, ago) in [
        ("a", 900),
        ("b", 800),
        ("again", 65 * 60),
        ("again", 600),
        ("edge", 3_590),
    ] {
        let failed = failing("no space on /a: 1 kB needed", &world, ago);
        world.say(&known(request), failed).await;
    }
    world.learn().await;
    for (request, others) in [
        ("a", 2),
        ("again", 3),
        // The minute that the hour begins in counts as a whole.
        ("edge", 2),
    ] {
        let similar = &world.explain(request).await["why"]["similar"];
        assert_eq!(similar["payloads_last_hour"], others, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_says_what_a_status_means() {
    let world = World::new().await;
    world
        .say(&known("r"), said("puptoo", "melted", world.ago(1)))
        .await;
    assert_eq!(verdict(&world.explain("r").await), "in_progress");
    world
        .sql("INSERT INTO status_classes VALUES ('melted', 'failure')")
        .await;
    assert_eq!(verdict(&world.explain("r").await), "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_told_by_its_latest_payloads() {
    let world = World::new().await;
    let host = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a";
    for n in 0..12 {
        let named = Known {
            inventory_id: Some(host.to_owned()),
            ..known(format!("r{n:02}"))
        };
        let journey = if n == 11 { &WHOLE[..1] } else { WHOLE };
        world.go(&named, journey, world.ago(2_000 - n * 100)).await;
    }
    for asked in [host.to_owned(), host.to_uppercase(), host.replace('-', "")] {
        let explained = world.explain(&asked).await;
        assert_eq!(explained["matched"], "inventory_id");
        assert_eq!(explained["payload"]["request_id"], "r11");
        let payloads = explained["payloads"].as_array().unwrap();
        let told: Vec<_> = payloads
            .iter()
            .map(|one| one["request_id"].as_str().unwrap())
            .collect();
        assert_eq!(
            told,
            [
                "r11", "r10", "r09", "r08", "r07", "r06", "r05", "r04", "r03", "r02"
            ]
        );
        assert_eq!(
            (verdict(&payloads[0]), verdict(&payloads[1])),
            ("in_progress", "succeeded")
        );
        assert_eq!(payloads[1]["at"]["service"], "inventory");
        assert_eq!(explained["other_matches"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_ids_go_before_inventory_ids_and_these_before_system_ids() {
    let world = World::new().await;
    let named = |request: &str, inventory: Option<&str>, system: Option<&str>| Known {
        inventory_id: inventory.map(str::to_owned),
        system_id: system.map(str::to_owned),
        ..known(request)
    };
    let start = &WHOLE[..1];
    world
        .go(&named("b", None, Some("x")), start, world.ago(20))
        .await;
    let explained = world.explain("x").await;
    assert_eq!(
        (&explained["matched"], &explained["payload"]["request_id"]),
        (&json!("system_id"), &json!("b"))
    );
    world
        .go(&named("a", Some("x"), None), start, world.ago(30))
        .await;
    let explained = world.explain("x").await;
    assert_eq!(
        (&explained["matched"], &explained["payload"]["request_id"]),
        (&json!("inventory_id"), &json!("a"))
    );
    assert_eq!(
        explained["other_matches"],
        json!([{ "kind": "system_id", "payloads": 1 }])
    );
    world
        .go(&named("x", None, None), start, world.ago(40))
        .await;
    let explained = world.explain("x").await;
    assert_eq!(
        (&explained["matched"], &explained["payload"]["request_id"]),
        (&json!("request_id"), &json!("x"))
    );
    assert_eq!(
        explained["other_matches"],
        json!([{ "kind": "inventory_id", "payloads": 1 }, { "kind": "system_id", "payloads": 1 }])
    );
    assert_eq!(explained["payloads"], json!([]));
}

/// The Go tracker stored ids as they came, and knows no days.
#[tokio::test(flavor = "multi_thread")]
async fn forms_of_one_request_id_are_one_payload() {
    let world = World::new().await;
    let plain = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
    let dashed = "0f3c8f1e-6a5d-4a7b-9c2d-1e0f8a7b6c5d";
    world
        .say(&known(dashed), said("ingress", "success", world.ago(20)))
        .await;
    world
        .say(&known(plain), said("puptoo", "success", world.ago(10)))
        .await;
    world
        .sql("UPDATE payloads SET first_day = NULL, last_day = NULL, org_id = ''")
        .await;
    let explained = world.explain(plain).await;
    assert_eq!(
        (
            verdict(&explained),
            explained["path"].as_array().unwrap().len()
        ),
        ("succeeded", 2)
    );
    assert_eq!(explained["payload"]["org_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_nobody_is_not_found() {
    let world = World::new().await;
    for id in [
        "nobody",
        "%00",
        "%20",
        &"x".repeat(5_000),
        "00000000-0000-0000-0000-000000000000",
    ] {
        let (status, message) = world.api.problem(&format!("/explain/{id}")).await;
        assert_eq!(status, 404, "{id}");
        assert!(message.starts_with("payload with id: "), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_which_nothing_was_said_is_in_progress_for_a_day() {
    let world = World::new().await;
    world.sql("INSERT INTO payloads (request_id, created_at) VALUES ('a', now()), ('b', now() - interval '1 day')").await;
    let explained = world.explain("a").await;
    assert_eq!(
        (verdict(&explained), &explained["at"]),
        ("in_progress", &Value::Null)
    );
    assert_eq!(verdict(&world.explain("b").await), "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_statuses_the_newest_speak() {
    let world = World::new().await;
    world
        .say(&known("r"), said("puptoo", "error", world.ago(60_000)))
        .await;
    world
        .sql(
            "INSERT INTO payload_statuses (payload_id, service_id, status_id, date)
               SELECT 1, 1, 1, now() - n * interval '1 second' FROM generate_series(1, 10000) AS n;
         UPDATE payloads SET last_day = now()::date",
        )
        .await;
    let explained = world.explain("r").await;
    assert_eq!(
        (&explained["truncated"], &explained["path"][0]["statuses"]),
        (&json!(true), &json!(10_000))
    );
}
