//! How the services do.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::fixture::Api;
use super::rows::{Payload, Status};

/// This long ago.
fn ago(duration: TimeDelta) -> &'static str {
    let at = Utc::now() - duration;
    at.to_rfc3339().leak()
}

async fn put(api: &Api, rows: &[(&'static str, &'static str, TimeDelta)]) {
    let id = Payload::of("r").put(&api.database.pool).await;
    for (service, status, age) in rows {
        Status::of(id, service, status, ago(*age))
            .put(&api.database.pool)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_of_the_last_day_are_counted_by_service() {
    let api = Api::start().await;
    let (minutes, hours) = (TimeDelta::minutes, TimeDelta::hours);
    put(
        &api,
        &[
            ("puptoo", "success", minutes(1)),
            ("puptoo", "processed", hours(23)),
            ("puptoo", "successful", hours(12)),
            ("puptoo", "error", minutes(2)),
            ("puptoo", "received", minutes(3)),
            ("puptoo", "a name nobody listed", minutes(3)),
            ("puptoo", "success", hours(24) + minutes(1)),
            ("puptoo", "success", minutes(-30)),
            ("ingress", "rejected", minutes(4)),
            ("advisor", "received", minutes(4)),
            ("advisor", "success", hours(25)),
            ("Yuptoo", "success", minutes(4)),
        ],
    )
    .await;
    let expected = json!([
        {"service": "Yuptoo", "successes": 1, "failures": 0, "rate": 1.0},
        {"service": "ingress", "successes": 0, "failures": 1, "rate": 0.0},
        {"service": "puptoo", "successes": 3, "failures": 1, "rate": 0.75},
    ]);
    for path in ["/stats?stat=SuccessRate", "/stats", "/stats?stat="] {
        let answer = api.json(path).await;
        assert_eq!(answer["data"], expected, "{path}");
        let [since, until] = ["since", "until"].map(|end| {
            let at: DateTime<Utc> = answer[end].as_str().unwrap().parse().unwrap();
            at
        });
        assert_eq!(until - since, TimeDelta::hours(24));
        assert!((Utc::now() - until).num_seconds().abs() < 60);
        assert!(answer["elapsed"].as_f64().unwrap() > 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_classes_count() {
    let api = Api::start().await;
    put(&api, &[("puptoo", "archived", TimeDelta::minutes(1))]).await;
    assert_eq!(api.json("/stats").await["data"], Value::Array(vec![]));
    api.sql("INSERT INTO status_classes VALUES ('archived', 'failure')")
        .await;
    assert_eq!(api.json("/stats").await["data"][0]["failures"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_statistic_is_a_400_that_names_the_one_there_is() {
    let api = Api::start().await;
    let expected = (
        400,
        r#"stat "Throughput" is not one of SuccessRate"#.to_owned(),
    );
    assert_eq!(api.problem("/stats?stat=Throughput").await, expected);
}
