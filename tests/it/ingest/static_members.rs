//! Consumers that keep their name over restarts, against Apache Kafka itself: `make test-kafka`.

use super::lab::{Lab, SOON, Totals, is_ready, numbered};
use crate::support::{Process, eventually};

fn member(name: &str) -> [(&str, &str); 2] {
    [
        ("KAFKA_GROUP_INSTANCE_ID", name),
        ("KAFKA_SESSION_TIMEOUT_MS", "30000"),
    ]
}

/// How often the group gave or took something.
fn rebalances(consumer: &Process) -> usize {
    let log = consumer.log();
    log.matches("lanes assigned").count() + log.matches("lanes revoked").count()
}

async fn holds_two(consumer: &Process) -> String {
    eventually("two lanes located", SOON, || async {
        let log = consumer.log();
        let located = log.lines().rfind(|line| line.contains("lanes located"))?;
        let starts = located.split(r#""starts":""#).nth(1)?.split('"').next()?;
        // Which lanes, without their offsets.
        let lanes: Vec<&str> = starts
            .trim_matches(['{', '}'])
            .split(", ")
            .filter_map(|start| start.split(':').next())
            .collect();
        (lanes.len() == 2).then(|| lanes.join(" "))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_restart_within_the_session_moves_no_lane() {
    let lab = Lab::with_partitions(4).await;
    let mut one = lab.ready_consumer(&member("one")).await;
    let two = lab.ready_consumer(&member("two")).await;
    let others = holds_two(&two).await;
    let before = rebalances(&two);
    let mut sent = 0;
    for kill in [false, true] {
        if kill {
            one.kill9().await;
        } else {
            assert!(one.terminate().await.success());
        }
        lab.kafka.send(None, numbered(sent..sent + 400)).await;
        sent += 400;
        one = lab.ready_consumer(&member("one")).await;
        assert_ne!(holds_two(&one).await, others);
        assert_eq!(lab.passed(sent, SOON).await, Totals::of(sent));
    }
    assert_eq!(rebalances(&two), before, "{}", two.log());
    is_ready(&two).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_second_consumer_of_one_instance_id_ends_the_first_with_a_line_that_names_it() {
    let lab = Lab::with_partitions(2).await;
    let mut first = lab.ready_consumer(&member("one")).await;
    let second = lab.ready_consumer(&member("one")).await;
    let status = first.exited(SOON).await;
    assert_eq!(status.code(), Some(1), "{}", first.log());
    assert!(
        first.log().contains("KAFKA_GROUP_INSTANCE_ID=one"),
        "{}",
        first.log()
    );
    lab.kafka.send(None, numbered(0..100)).await;
    assert_eq!(lab.passed(100, SOON).await, Totals::of(100));
    is_ready(&second).await;
}
