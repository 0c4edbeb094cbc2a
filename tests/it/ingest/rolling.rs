//! A rolling restart under load, against Apache Kafka itself: `make test-kafka`.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use sea_orm::sqlx;
use tokio_util::sync::CancellationToken;

use super::lab::{Lab, SOON, Totals, numbered};
use crate::support::{Process, eventually};

const LANES: i32 = 20;
/// One message a lane.
const EVERY: Duration = Duration::from_millis(20);
/// No lane may stand still for longer.
const LIMIT: f64 = 10.0;

/// Sends to every lane at a steady rate until told to stop; answers how many.
fn produce(lab: &Lab, stop: CancellationToken) -> JoinHandle<usize> {
    let mut config = lab.kafka.client();
    config
        .set("linger.ms", "5")
        .set("enable.idempotence", "true");
    let topic = lab.kafka.topic.clone();
    thread::spawn(move || {
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        let mut sent = 0;
        while !stop.is_cancelled() {
            for (lane, value) in (0..LANES).zip(numbered(sent..usize::MAX)) {
                let record = BaseRecord::<(), _>::to(&topic).payload(&value);
                producer.send(record.partition(lane)).unwrap();
                sent += 1;
            }
            thread::sleep(EVERY);
        }
        producer.flush(SOON).unwrap();
        sent
    })
}

/// For each lane the longest time in seconds between two commits of its messages.
async fn longest_pauses(lab: &Lab) -> Vec<(i32, f64)> {
    sqlx::query_as(
        "SELECT origin_partition, max(extract(epoch FROM created_at - previous))::float8
           FROM (SELECT origin_partition, created_at,
                        lag(created_at) OVER (PARTITION BY origin_partition
                                                  ORDER BY origin_offset) AS previous
                   FROM payload_statuses) AS s
          GROUP BY origin_partition ORDER BY origin_partition",
    )
    .fetch_all(lab.pool())
    .await
    .unwrap()
}

async fn consumer_with_lanes(lab: &Lab) -> Process {
    let consumer = lab.ready_consumer(&[]).await;
    eventually("lanes", SOON, || async {
        consumer.log().contains("lanes located").then_some(())
    })
    .await;
    consumer
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_rolling_restart_loses_and_doubles_nothing_and_pauses_no_lane_for_long() {
    let lab = Lab::with_partitions(LANES as u16).await;
    let mut consumers = Vec::new();
    for _ in 0..3 {
        consumers.push(consumer_with_lanes(&lab).await);
    }
    let stop = CancellationToken::new();
    let sent = produce(&lab, stop.clone());
    for consumer in &mut consumers {
        let before = lab.totals().await.passed as usize;
        lab.passed(before + 2_000, SOON).await;
        assert!(consumer.terminate().await.success());
        *consumer = consumer_with_lanes(&lab).await;
    }
    let before = lab.totals().await.passed as usize;
    lab.passed(before + 2_000, SOON).await;
    stop.cancel();
    let sent = sent.join().unwrap();
    assert_eq!(lab.passed(sent, SOON).await, Totals::of(sent));

    let pauses = longest_pauses(&lab).await;
    assert_eq!(pauses.len(), LANES as usize);
    println!("{sent} messages; longest pause of each lane:");
    for (lane, seconds) in &pauses {
        println!("lane {lane:2} {seconds:6.3} s");
    }
    for (lane, seconds) in pauses {
        assert!(seconds < LIMIT, "lane {lane} stood still for {seconds} s");
    }
}
