//! What an operator sees of a consumer that is behind.

use chrono::Utc;

use super::lab::{Lab, SOON, is_ready, statuses};
use crate::support::{Process, Proxy, eventually};

const OLDEST: &str = "payload_tracker_oldest_uncommitted_timestamp_seconds";

/// The value of a metric without labels, or with exactly these.
async fn value(consumer: &Process, name: &str) -> Option<f64> {
    let (_, metrics) = consumer.probe("/metrics").await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_and_age_grow_while_the_database_is_away_and_go_when_it_is_back() {
    let lab = Lab::with_partitions(1).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let port = proxy.port().to_string();
    let consumer = lab.consumer(&[("DB_PORT", &port), ("BATCH_MAX_MESSAGES", "50")]);
    is_ready(&consumer).await;
    assert_eq!(value(&consumer, OLDEST).await, Some(0.0));
    let before = Utc::now().timestamp() as f64 - 1.0;
    proxy.refuse();
    lab.kafka.send(Some(0), statuses(500)).await;
    let lag = r#"payload_tracker_lag{partition="0"}"#;
    let lags = |expected: f64| {
        let consumer = &consumer;
        eventually("the lag", SOON, move || async move {
            (value(consumer, lag).await? == expected).then_some(())
        })
    };
    lags(500.0).await;
    let oldest = value(&consumer, OLDEST).await.unwrap();
    let after = Utc::now().timestamp() as f64 + 1.0;
    assert!((before..after).contains(&oldest), "{oldest}");
    proxy.restore();
    lab.passed(500, SOON).await;
    lags(0.0).await;
    assert_eq!(value(&consumer, OLDEST).await, Some(0.0));
}
