//! Faults under load, against Apache Kafka itself: `make test-kafka`.

use std::time::Duration;

use rand::Rng;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tokio::time::Instant;

use super::lab::{Lab, Totals, is_not_ready, is_ready, numbered};
use crate::support::{self, eventually};

const MESSAGES: usize = 200_000;
const LONG: Duration = Duration::from_secs(240);

/// Sends numbered messages from a thread of its own, as fast as the broker takes them.
fn produce(lab: &Lab) -> std::thread::JoinHandle<()> {
    let mut config = lab.kafka.client();
    config
        .set("linger.ms", "20")
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.messages", "400000");
    let topic = lab.kafka.topic.clone();
    std::thread::spawn(move || {
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        for value in numbered(0..MESSAGES) {
            producer
                .send(BaseRecord::<(), _>::to(&topic).payload(&value))
                .unwrap();
        }
        producer.flush(Duration::from_secs(120)).unwrap();
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn ten_kills_lose_and_double_nothing() {
    let lab = Lab::with_partitions(20).await;
    let sent = produce(&lab);
    let mut last = 0;
    for kill in 1..=10 {
        let mut consumer = lab.consumer(&[("BATCH_MAX_MESSAGES", "5000")]);
        // Somewhere in the next part of the stream, at no particular instruction.
        let target = last + rand::rng().random_range(1..=10_000_i64);
        last = eventually("progress", LONG, || async {
            let passed = lab.totals().await.passed;
            (passed >= target).then_some(passed)
        })
        .await;
        consumer.kill9().await;
        println!("kill {kill} at {last} messages");
    }
    let _consumer = lab.consumer(&[]);
    assert_eq!(lab.passed(MESSAGES, LONG).await, Totals::of(MESSAGES));
    sent.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_killed_consumer_is_replaced_by_the_other() {
    let lab = Lab::with_partitions(20).await;
    let mut one = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "5000")]).await;
    let two = lab.ready_consumer(&[("BATCH_MAX_MESSAGES", "5000")]).await;
    eventually("shared lanes", LONG, || async {
        two.log().contains("lanes located").then_some(())
    })
    .await;
    let sent = produce(&lab);
    lab.passed(MESSAGES / 10, LONG).await;
    one.kill9().await;
    assert_eq!(lab.passed(MESSAGES, LONG).await, Totals::of(MESSAGES));
    sent.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn half_a_minute_without_the_database() {
    let mut server = support::own_server().await;
    let lab = Lab::on(&server, 20).await;
    let consumer = lab.ready_consumer(&[]).await;
    let sent = produce(&lab);
    lab.passed(MESSAGES / 20, LONG).await;
    let stopped = Instant::now();
    server.stop().await;
    is_not_ready(&consumer, "database").await;
    eventually("30 s", LONG, || async {
        let (live, _) = consumer.probe("/live").await?;
        assert_eq!(live, 200);
        (stopped.elapsed() >= Duration::from_secs(30)).then_some(())
    })
    .await;
    let (ready, _) = consumer.probe("/ready").await.unwrap();
    assert_eq!(ready, 503);
    server.start().await;
    assert_eq!(lab.passed(MESSAGES, LONG).await, Totals::of(MESSAGES));
    is_ready(&consumer).await;
    sent.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_stopped_consumer_leaves_the_group() {
    let lab = Lab::with_partitions(1).await;
    let mut first = lab.ready_consumer(&[]).await;
    assert!(first.terminate().await.success());
    let next = lab.consumer(&[]);
    // A member that had not left would keep the lane for its session of 10 s. (The embedded broker waits nearly
    // as long after every leave.)
    eventually("the lane at once", Duration::from_secs(7), || async {
        next.log().contains("lanes located").then_some(())
    })
    .await;
}
