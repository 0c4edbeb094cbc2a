use std::collections::BTreeSet;

use chrono::{NaiveDateTime, Utc};
use serde_json::Value;

use super::tool::{pt, values};
use crate::support;

const EXAMPLES: &str = include_str!("../../../seed/producer_messages.jsonl");

/// Digits are what a shifted date may change.
fn shape(message: &str) -> String {
    message.replace(|c: char| c.is_ascii_digit(), "0")
}

#[tokio::test(flavor = "multi_thread")]
async fn seed_sends_every_example_as_of_now() {
    let kafka = support::kafka().await;
    kafka.create_topic(3).await;

    let said = pt(&["seed"], kafka.env()).await;

    assert_eq!(said.code, 0, "{said:?}");
    let delivered = format!(
        "delivered 45 messages to {} at {}",
        kafka.topic, kafka.bootstrap
    );
    assert!(said.stdout.contains(&delivered), "{said:?}");

    let sent: Vec<String> = values(&kafka, 45)
        .await
        .into_iter()
        .map(|value| String::from_utf8(value).unwrap())
        .collect();
    let mut shapes: Vec<String> = sent.iter().map(|message| shape(message)).collect();
    let mut examples: Vec<String> = EXAMPLES.lines().map(shape).collect();
    shapes.sort();
    examples.sort();
    assert_eq!(shapes, examples);

    let days: BTreeSet<i64> = sent
        .iter()
        .filter_map(|message| {
            let message: Value = serde_json::from_str(message).ok()?;
            let seconds = message["date"].as_str()?.get(..19)?.replace('T', " ");
            let date = NaiveDateTime::parse_from_str(&seconds, "%Y-%m-%d %H:%M:%S").ok()?;
            Some((Utc::now().naive_utc() - date).num_days())
        })
        .collect();
    assert_eq!(
        days,
        BTreeSet::from([0, 20]),
        "one message stays 20 days back"
    );
}
