//! The database is away.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sea_orm::sqlx::query;

use super::fixture::{Api, problem};
use super::rows::Payload;
use crate::support::{self, Proxy, eventually};

const PATHS: [&str; 4] = [
    "/v1/payloads",
    "/v1/statuses",
    "/v1/payloads/r",
    "/v1/stats",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stays_away_is_a_503_after_trying_again() {
    let database = support::database().await;
    let mut config = database.config();
    config.port = support::free_port();
    let api = Api::started(database, &config, &[]).await;
    for path in PATHS {
        let asked = Instant::now();
        let response = api.send(path).await;
        assert!(
            response.headers()["retry-after"]
                .to_str()
                .unwrap()
                .parse::<u32>()
                .unwrap()
                > 0
        );
        let (status, message) = problem(response).await;
        assert_eq!(
            (status, message.as_str()),
            (503, "the database does not answer now: try again")
        );
        let took = asked.elapsed();
        assert!(
            took > Duration::from_secs(2) && took < Duration::from_secs(5),
            "{took:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_died_are_replaced_within_the_request() {
    let api = Api::start().await;
    Payload::of("r").put(&api.database.pool).await;
    // As many sessions as the pool holds.
    let asked: Vec<_> = (0..20)
        .map(|_| tokio::spawn(api.request("/v1/payloads").send()))
        .collect();
    for request in asked {
        assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    for path in PATHS {
        query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pt-api'")
            .execute(&api.database.pool)
            .await
            .unwrap();
        assert_eq!(api.send(path).await.status(), StatusCode::OK, "{path}");
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
