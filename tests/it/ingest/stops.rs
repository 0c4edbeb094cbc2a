//! SIGTERM, whatever is away.

use std::time::Duration;

use payload_tracker::dev::broker::Broker;
use tokio::time::Instant;

use super::lab::{Lab, SOON, Totals, is_not_ready, is_ready, statuses};
use crate::support::{Process, Proxy, eventually};

/// The lab's topic on a broker of the test's own, which it may end.
fn move_to_own_broker(lab: &mut Lab) -> Broker {
    let broker = Broker::start(0).unwrap();
    broker.create_topic(&lab.kafka.topic, 1).unwrap();
    lab.kafka.bootstrap = broker.bootstrap();
    broker
}

async fn holds_messages(consumer: &Process, messages: usize) {
    let counted = format!("payload_tracker_consumed_messages {messages}\n");
    eventually("messages in the open batch", SOON, || async {
        let (_, metrics) = consumer.probe("/metrics").await?;
        metrics.contains(&counted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_hands_in_the_open_batch() {
    let lab = Lab::with_partitions(1).await;
    // The batch would stay open for long.
    let settings = [("BATCH_MAX_WAIT_MS", "60000")];
    let mut consumer = lab.ready_consumer(&settings).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    holds_messages(&consumer, 10).await;
    assert_eq!(lab.totals().await.passed, 0);
    assert!(consumer.terminate().await.success());
    assert_eq!(lab.totals().await, Totals::of(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_in_time_without_kafka_too() {
    let mut lab = Lab::without_topic().await;
    let broker = move_to_own_broker(&mut lab);
    let settings = [("BATCH_MAX_WAIT_MS", "60000")];
    let mut consumer = lab.ready_consumer(&settings).await;
    lab.kafka.send(Some(0), statuses(10)).await;
    holds_messages(&consumer, 10).await;
    drop(broker);
    // The group's offset of the last batch is now sent to nobody.
    assert!(consumer.terminate().await.success());
    assert_eq!(lab.totals().await, Totals::of(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_in_time_without_database_and_kafka() {
    let mut lab = Lab::without_topic().await;
    let broker = move_to_own_broker(&mut lab);
    let proxy = Proxy::to(lab.database.config().port).await;
    let port = proxy.port().to_string();
    let settings = [("DB_PORT", port.as_str()), ("BATCH_MAX_MESSAGES", "5")];
    let mut consumer = lab.consumer(&settings);
    is_ready(&consumer).await;
    proxy.refuse();
    lab.kafka.send(Some(0), statuses(10)).await;
    holds_messages(&consumer, 10).await;
    drop(broker);
    assert!(consumer.terminate().await.success());
    assert_eq!(lab.totals().await.passed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_does_not_wait_for_an_answer_of_kafka() {
    let lab = Lab::without_topic().await;
    // Nobody listens there; a question is given up after 10 s.
    let nowhere = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];
    let mut consumer = lab.consumer(&nowhere);
    is_not_ready(&consumer, "no Kafka broker has answered").await;
    let told = Instant::now();
    assert!(consumer.terminate().await.success());
    assert!(told.elapsed() < Duration::from_secs(5));
}
