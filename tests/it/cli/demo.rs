use std::time::Duration;

use payload_tracker::dev::demo;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::tool::values;
use crate::support;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_opens_with_three_uploads_goes_on_and_stops() {
    let kafka = support::kafka().await;
    kafka.create_topic(4).await;
    let stop = CancellationToken::new();

    let (demo, playing) = demo::start(&kafka.bootstrap, &kafka.topic, stop.clone())
        .await
        .unwrap();
    let messages: Vec<Value> = values(&kafka, 40)
        .await
        .iter()
        .map(|value| serde_json::from_slice(value).unwrap())
        .collect();

    let of = |request_id: &str| -> Vec<&str> {
        let own = messages
            .iter()
            .filter(|message| message["request_id"] == request_id);
        own.map(|message| message["status"].as_str().unwrap())
            .collect()
    };
    assert_eq!(of(&demo.succeeded).len(), 14);
    assert!(of(&demo.failed).contains(&"error"));
    assert_eq!(of(&demo.stuck).len(), 5);
    let others = messages.len() - 14 - 5 - of(&demo.failed).len();
    assert!(others > 0, "the stream goes on");

    stop.cancel();
    timeout(Duration::from_secs(5), playing)
        .await
        .unwrap()
        .unwrap();
}
