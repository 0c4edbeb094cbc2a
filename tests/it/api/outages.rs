//! The database is away.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sea_orm::sqlx::query;
use tokio::task::JoinSet;

use super::fixture::{Api, problem};
use super::rows::Payload;
use super::stream::{Said, Stream, commit, lanes};
use super::surface::{REQUEST, routes};
use crate::support::{self, Proxy, TestDatabase, eventually};

/// What every route answers that asks the database, at the same time; the others go on as ever. `are_heard`:
/// there are streams already.
async fn all_answer(api: &Api, expected: u16, are_heard: bool) {
    let (mut asked, began) = (JoinSet::new(), Instant::now());
    for route in routes() {
        let request = api.request(&route.target());
        asked.spawn(async move { (route, request.send().await.unwrap(), began.elapsed()) });
    }
    for (route, response, took) in asked.join_all().await {
        let path = &route.path;
        if !route.reads() {
            assert!(response.status().as_u16() < 500, "{path}: document its 503");
            continue;
        }
        // Where others listen it is known from where on one hears.
        if route.is_stream && path != "/payloads/{request_id}/events" && are_heard {
            assert_eq!(response.status(), 200, "{path}");
            continue;
        }
        assert_eq!(response.status(), expected, "{path}");
        if expected != 503 {
            continue;
        }
        let wait = response.headers()["retry-after"].to_str().unwrap();
        assert!(wait.parse::<u32>().unwrap() > 0, "{path}");
        let (_, message) = problem(response).await;
        assert!(
            message.starts_with("the database does not answer"),
            "{path}: {message}"
        );
        // Probes say at once how it is.
        let tries = if message.ends_with("try again") { 2 } else { 0 };
        let range = Duration::from_secs(tries)..Duration::from_secs(6);
        assert!(range.contains(&took), "{path}: {took:?}");
    }
}

/// What the routes of `surface` find, a lane, and today's partition.
async fn some_rows(api: &Api) {
    let pool = &api.database.pool;
    Payload::of(REQUEST).put(pool).await;
    lanes(1, pool).await;
    api.sql("INSERT INTO rejects (topic, partition, \"offset\", reason, detail) VALUES ('t', 0, 0, 'malformed', 'd')")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stays_away_is_a_503_on_every_route_that_reads_it() {
    let database = support::database().await;
    let mut config = database.config();
    config.port = support::free_port();
    let api = Api::started(database, &config, &[]).await;
    all_answer(&api, 503, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_comes_back_is_found_by_every_route_and_stream() {
    let mut server = support::own_server().await;
    let api = Api::on(TestDatabase::on(&server).await).await;
    some_rows(&api).await;
    let pool = &api.database.pool;
    let said = Said {
        request_id: REQUEST,
        ..Said::default()
    };
    let mut streams = Vec::new();
    for path in [
        "/statuses/live".to_owned(),
        format!("/payloads/{REQUEST}/events"),
    ] {
        let mut stream = Stream::open(&api, &path, None).await;
        stream.position().await;
        streams.push(stream);
    }
    commit(&said, 0, 0..1, pool).await;
    all_answer(&api, 200, true).await;
    server.stop().await;
    all_answer(&api, 503, true).await;
    server.start().await;
    // Nobody asks between the two: what is committed at once is told of too.
    commit(&said, 0, 1..3, pool).await;
    all_answer(&api, 200, true).await;
    for stream in &mut streams {
        assert_eq!(stream.said(3).await, ["0:0", "0:1", "0:2"]);
    }
    commit(&said, 0, 3..4, pool).await;
    for stream in &mut streams {
        assert_eq!(stream.said(1).await, ["0:3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_died_are_replaced_within_the_request() {
    let api = Api::start().await;
    some_rows(&api).await;
    // As many sessions as the pool holds.
    let asked: Vec<_> = (0..20)
        .map(|_| tokio::spawn(api.request("/v1/payloads").send()))
        .collect();
    for request in asked {
        assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    for route in routes().iter().filter(|route| route.reads()) {
        query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pt-api'")
            .execute(&api.database.pool)
            .await
            .unwrap();
        let answer = api.send(&route.target()).await;
        // Probes do not try again: they are asked again.
        assert!(route.is_probe() || answer.status() == 200, "{}", route.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blip_goes_unnoticed() {
    let database = support::database().await;
    Payload::of("r").put(&database.pool).await;
    let proxy = Proxy::to(database.config().port).await;
    let mut config = database.config();
    (config.host, config.port) = ("127.0.0.1".to_owned(), proxy.port());
    let api = Api::started(database, &config, &[]).await;
    assert_eq!(api.send("/v1/payloads").await.status(), 200);
    proxy.refuse();
    let asked = tokio::spawn(api.request("/v1/payloads").send());
    eventually("another try", Duration::from_secs(10), || async {
        (proxy.refused() >= 2).then_some(())
    })
    .await;
    assert!(!asked.is_finished(), "it tries again");
    proxy.restore();
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
}
