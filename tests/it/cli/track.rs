use std::time::Duration;

use payload_tracker::dev::child::Signal;
use sea_orm::sqlx::query;

use super::tool::{Said, pt};
use crate::support::{self, Process, TestDatabase, eventually};

const REQUEST: &str = "747c1300667b441e8e8f448337588ec0";
const OLDER: &str = "9f1b0a6f4c3d4d7e8a55b0c1d2e3f405";
const INVENTORY: &str = "766637dd-653f-4bf0-99a1-a117b455cd96";
const SYSTEM: &str = "b1596dc8-fb46-4e16-8790-d11ea7dfa16a";
const PATIENCE: Duration = Duration::from_secs(20);

/// A database with two payloads of one host, and the API on it.
async fn api() -> (TestDatabase, Process) {
    let database = support::database().await;
    query("INSERT INTO services (id, name) VALUES (1, 'ingress'), (2, 'insights-advisor-service')")
        .execute(&database.pool)
        .await
        .unwrap();
    query("INSERT INTO sources (id, name) VALUES (1, 'insights-client')")
        .execute(&database.pool)
        .await
        .unwrap();
    query("INSERT INTO statuses (id, name) VALUES (1, 'received'), (2, 'error')")
        .execute(&database.pool)
        .await
        .unwrap();
    query(
        "INSERT INTO payloads (id, request_id, org_id, account, inventory_id, system_id, created_at)
         VALUES (1, $1, '11789772', '6089719', $3, $4, '2026-08-21T09:14:07Z'),
                (2, $2, '11789772', '', $3, $4, '2026-08-20T09:14:07Z')",
    )
    .bind(REQUEST)
    .bind(OLDER)
    .bind(INVENTORY)
    .bind(SYSTEM)
    .execute(&database.pool)
    .await
    .unwrap();
    query(
        "INSERT INTO payload_ids (kind, value, payload_id)
         VALUES (1, $1, 1), (1, $1, 2), (2, $2, 1), (2, $2, 2) ON CONFLICT DO NOTHING",
    )
    .bind(INVENTORY)
    .bind(SYSTEM)
    .execute(&database.pool)
    .await
    .unwrap();
    query("SELECT create_partition('2026-08-20Z'::timestamptz, '2026-08-21Z'::timestamptz), create_partition('2026-08-21Z'::timestamptz, '2026-08-22Z'::timestamptz)")
        .execute(&database.pool)
        .await
        .unwrap();
    add(
        &database,
        1,
        1,
        "received",
        "Payload received by ingress",
        "2026-08-21T09:14:07.25Z",
    )
    .await;
    add(
        &database,
        2,
        1,
        "received",
        "an older upload",
        "2026-08-20T09:14:07Z",
    )
    .await;

    let api = Process::spawn("pt-api", database.env());
    eventually("a ready API", PATIENCE, || async {
        api.get("/ready").await.filter(|(status, _)| *status == 200)
    })
    .await;
    (database, api)
}

async fn add(
    database: &TestDatabase,
    payload: i64,
    service: i32,
    status: &str,
    message: &str,
    date: &str,
) {
    query(
        "INSERT INTO payload_statuses (payload_id, service_id, source_id, status_id, status_msg, date)
         VALUES ($1, $2, CASE $2 WHEN 2 THEN 1 END,
                 (SELECT id FROM statuses WHERE name = $3), $4, $5::timestamptz)",
    )
    .bind(payload)
    .bind(service)
    .bind(status)
    .bind(message)
    .bind(date)
    .execute(&database.pool)
    .await
    .unwrap();
}

fn url(port: u16) -> (String, String) {
    ("PT_API_URL".to_owned(), format!("http://localhost:{port}"))
}

async fn track(api: &Process, id: &str) -> Said {
    pt(&["track", id], [url(api.public_port)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_printed_oldest_first_and_cannot_steer_the_terminal() {
    let (database, api) = api().await;
    let trace = "Traceback:\n\u{1b}[2J gone";
    add(&database, 1, 2, "error", trace, "2026-08-21T09:14:12Z").await;

    let said = track(&api, REQUEST).await;

    assert_eq!(said.code, 0, "{said:?}");
    let expected = format!(
        "\
payload   {REQUEST}
org       11789772
account   6089719
inventory {INVENTORY}
system    {SYSTEM}

TIME UTC      SERVICE                                     STATUS       AFTER  MESSAGE
2026-08-21
09:14:07.250  ingress                                     received            Payload received by ingress
09:14:12.000  insights-advisor-service (insights-client)  error      +4.750s  Traceback: \u{fffd}[2J gone
2 statuses, total time 00:00:04.750000
"
    );
    assert_eq!(said.stdout, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_s_payloads_are_listed_and_the_newest_is_shown() {
    let (_database, api) = api().await;
    for id in [INVENTORY, SYSTEM] {
        let said = track(&api, id).await;
        assert_eq!(said.code, 0, "{said:?}");
        let newest = said.stdout.find(REQUEST).unwrap();
        let older = said.stdout.find(OLDER).unwrap();
        assert!(newest < older, "{said:?}");
        assert!(
            said.stdout.contains("Payload received by ingress"),
            "{said:?}"
        );
        assert!(!said.stdout.contains("an older upload"), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_id_and_an_api_that_is_away_are_named() {
    let (_database, api) = api().await;
    let unknown = track(&api, "c0ffee00c0ffee00c0ffee00c0ffee01").await;
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(
        unknown.stderr.contains("c0ffee00c0ffee00c0ffee00c0ffee01"),
        "{unknown:?}"
    );

    let blank = track(&api, " ").await;
    assert_eq!(blank.code, 2, "{blank:?}");

    let (name, address) = url(support::free_port());
    let away = pt(&["track", REQUEST], [(name, address.clone())]).await;
    assert_eq!(away.code, 1, "{away:?}");
    assert!(away.stderr.contains(&address), "{away:?}");
    assert!(away.stderr.contains("PT_API_URL"), "{away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_appends_what_comes_and_ends_by_ctrl_c() {
    let (database, api) = api().await;
    let mut watching =
        Process::spawn_with("pt", &["track", "--watch", REQUEST], [url(api.public_port)]);
    let seen = |text: &'static str| {
        let log = watching.log();
        async move { log.contains(text).then_some(()) }
    };
    eventually("the first status", PATIENCE, || {
        seen("Payload received by ingress")
    })
    .await;
    add(
        &database,
        1,
        2,
        "received",
        "a new one",
        "2026-08-21T09:14:12Z",
    )
    .await;
    add(
        &database,
        1,
        2,
        "received",
        "a late one",
        "2026-08-21T09:14:06Z",
    )
    .await;
    eventually("the new status", PATIENCE, || seen("a new one")).await;
    eventually("the late status", PATIENCE, || seen("a late one")).await;

    let log = watching.log();
    assert_eq!(
        log.matches("Payload received by ingress").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("a new one").count(), 1, "{log}");

    watching.signal(Signal::Interrupt);
    let status = watching.exited(PATIENCE).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_waits_for_a_payload_through_an_outage_of_the_api() {
    let (database, mut api) = api().await;
    let request_id = "c0ffee00c0ffee00c0ffee00c0ffee02";
    let port = api.public_port;
    let watching = Process::spawn_with("pt", &["track", "--watch", request_id], [url(port)]);
    let says = |text: &'static str| {
        let log = watching.log();
        async move { log.contains(text).then_some(()) }
    };
    eventually("that it waits", PATIENCE, || says("waiting for it")).await;
    api.kill9().await;
    eventually("that it asks again", PATIENCE, || says("asking again")).await;

    query("UPDATE payloads SET request_id = $1 WHERE id = 1")
        .bind(request_id)
        .execute(&database.pool)
        .await
        .unwrap();
    let same_port = [("PUBLICPORT".to_owned(), port.to_string())];
    let _again = Process::spawn("pt-api", database.env().into_iter().chain(same_port));
    eventually("its status", PATIENCE, || {
        says("Payload received by ingress")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_the_process_on_this_machine() {
    let (_database, api) = api().await;
    let port = |port: u16| [("METRICSPORT".to_owned(), port.to_string())];
    let ready = pt(&["health"], port(api.metrics_port)).await;
    assert_eq!(ready.code, 0, "{ready:?}");
    let nobody = pt(&["health"], port(support::free_port())).await;
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.stderr.contains("METRICSPORT"), "{nobody:?}");
}
