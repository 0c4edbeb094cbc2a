//! Lanes change hands.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio_util::sync::CancellationToken;

use super::lab::{Lab, SOON, Totals, is_ready, numbered, statuses};
use crate::support::{Process, Proxy, eventually};

/// The embedded broker waits nearly as long for members that it knows to join again.
const SHORT: (&str, &str) = ("KAFKA_SESSION_TIMEOUT_MS", "6000");

/// Of two lanes the sticky assignment gives away the first.
const LANE_0_LEFT: &str = r#""message":"lanes revoked","app":"pt-consumer","lanes":"[0]""#;

async fn says(consumer: &Process, what: &str, times: usize) {
    eventually(what, SOON, || async {
        (consumer.log().matches(what).count() >= times).then_some(())
    })
    .await;
}

async fn metric(consumer: &Process, name: &str) -> u64 {
    let (_, metrics) = consumer.probe("/metrics").await.unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// Two consumers share two lanes, then one is left, then another comes.
async fn lanes_change_hands(strategy: &str) {
    let settings = [SHORT, ("KAFKA_ASSIGNMENT_STRATEGY", strategy)];
    let lab = Lab::with_partitions(2).await;
    let mut one = lab.ready_consumer(&settings).await;
    lab.kafka.send(None, numbered(0..500)).await;
    lab.passed(500, SOON).await;
    let two = lab.ready_consumer(&settings).await;
    says(&two, "lanes located", 1).await;
    lab.kafka.send(Some(0), numbered(500..700)).await;
    lab.kafka.send(Some(1), numbered(700..900)).await;
    lab.passed(900, SOON).await;
    for consumer in [&one, &two] {
        assert!(metric(consumer, "payload_tracker_messages_processed ").await >= 200);
    }
    assert!(one.terminate().await.success());
    lab.kafka.send(Some(0), numbered(900..1_000)).await;
    lab.kafka.send(Some(1), numbered(1_000..1_100)).await;
    assert_eq!(lab.passed(1_100, SOON).await, Totals::of(1_100));
    is_ready(&two).await;
    assert!(!two.log().contains("Erroneous state"), "{}", two.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_change_hands_by_the_cooperative_protocol() {
    lanes_change_hands("cooperative-sticky").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_change_hands_by_the_eager_protocol() {
    lanes_change_hands("range").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_located_again_under_the_eager_protocol_leaves_the_others_where_they_are() {
    let lab = Lab::with_partitions(3).await;
    let settings = [("KAFKA_ASSIGNMENT_STRATEGY", "roundrobin")];
    let consumer = lab.ready_consumer(&settings).await;
    for lane in 0..3 {
        lab.kafka.send(Some(lane), statuses(100)).await;
    }
    lab.passed(300, SOON).await;
    // Somebody else moved a lane: it is lost, located, and fetched again beside the others.
    lab.move_lane(1, 50).await;
    for lane in 0..3 {
        lab.kafka.send(Some(lane), statuses(100)).await;
    }
    let totals = lab.passed(600, SOON).await;
    assert!(consumer.log().contains("another consumer moved"));
    assert_eq!((totals.statuses, totals.origins), (650, 600));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_of_a_revoked_lane_is_written_first_and_the_rest_of_the_batch_with_it() {
    let lab = Lab::with_partitions(2).await;
    let settings = [SHORT, ("BATCH_MAX_WAIT_MS", "60000")];
    let one = lab.ready_consumer(&settings).await;
    lab.kafka.send(Some(0), numbered(0..5)).await;
    lab.kafka.send(Some(1), numbered(5..10)).await;
    eventually("an open batch", SOON, || async {
        (metric(&one, "payload_tracker_consumed_messages ").await == 10).then_some(())
    })
    .await;
    let _two = lab.ready_consumer(&settings).await;
    says(&one, "lanes revoked", 1).await;
    assert_eq!(lab.passed(10, SOON).await, Totals::of(10));
    let (_, metrics) = one.probe("/metrics").await.unwrap();
    assert!(metrics.contains(r#"payload_tracker_batches{close="release"} 1"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_lane_without_an_unwritten_message_does_not_wait_for_the_others() {
    let lab = Lab::with_partitions(2).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let port = proxy.port().to_string();
    let one = lab.ready_consumer(&[SHORT, ("DB_PORT", &port)]).await;
    proxy.refuse();
    // The one that stays.
    lab.kafka.send(Some(1), numbered(0..5)).await;
    says(&one, "waits for the database", 1).await;
    let two = lab.ready_consumer(&[SHORT]).await;
    says(&two, "lanes located", 1).await;
    let log = one.log();
    assert!(log.contains(LANE_0_LEFT), "{log}");
    assert!(!log.contains("before their batch was written"), "{log}");
    proxy.restore();
    assert_eq!(lab.passed(5, SOON).await, Totals::of(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_assigned_while_the_database_is_away_are_not_fetched_and_are_sought_when_it_is_back()
{
    let lab = Lab::with_partitions(2).await;
    let proxy = Proxy::to(lab.database.config().port).await;
    let port = proxy.port().to_string();
    let heir = lab.ready_consumer(&[SHORT, ("DB_PORT", &port)]).await;
    let mut other = lab.ready_consumer(&[SHORT]).await;
    says(&other, "lanes located", 1).await;
    lab.kafka.send(Some(0), numbered(0..10)).await;
    lab.kafka.send(Some(1), numbered(10..20)).await;
    lab.passed(20, SOON).await;
    let own = metric(&heir, "payload_tracker_consumed_messages ").await;
    assert_eq!(own, 10, "each read one lane");
    proxy.refuse();
    assert!(other.terminate().await.success());
    let waits = "lanes wait for their start";
    says(&heir, waits, 1).await;
    // To the lane that has changed hands only.
    assert!(heir.log().contains(LANE_0_LEFT), "{}", heir.log());
    lab.kafka.send(Some(0), numbered(20..30)).await;
    let seen = heir.log().matches(waits).count();
    says(&heir, waits, seen + 3).await;
    assert_eq!(
        metric(&heir, "payload_tracker_consumed_messages ").await,
        10
    );
    proxy.restore();
    assert_eq!(lab.passed(30, SOON).await, Totals::of(30));
    is_ready(&heir).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_group_of_the_other_protocol_is_said_with_the_setting_and_joined_when_it_is_gone() {
    let lab = Lab::with_partitions(2).await;
    let others = member_of_the_eager_protocol(&lab).await;
    lab.kafka.send(None, statuses(10)).await;
    let consumer = lab.consumer(&[]);
    let setting = "KAFKA_ASSIGNMENT_STRATEGY=cooperative-sticky";
    eventually("a reason", SOON, || async {
        let (code, why) = consumer.probe("/ready").await?;
        (code == 503 && why.contains(setting)).then_some(())
    })
    .await;
    assert!(consumer.log().contains(setting));
    assert_eq!(lab.totals().await.passed, 0);
    others.cancel();
    is_ready(&consumer).await;
    assert_eq!(lab.passed(10, SOON).await, Totals::of(10));
}

/// What the Go tracker's consumers are, until it is told to go.
async fn member_of_the_eager_protocol(lab: &Lab) -> CancellationToken {
    let mut config = lab.kafka.client();
    config
        .set("group.id", &lab.kafka.group)
        .set("enable.auto.commit", "false")
        .set("partition.assignment.strategy", "range");
    let member: BaseConsumer = config.create().unwrap();
    member.subscribe(&[&lab.kafka.topic]).unwrap();
    let (joined, joining) = tokio::sync::oneshot::channel();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    std::thread::spawn(move || {
        let mut joined = Some(joined);
        while !stopped.is_cancelled() {
            member.poll(Duration::from_millis(50));
            if member.assignment().unwrap().count() > 0
                && let Some(joined) = joined.take()
            {
                joined.send(()).unwrap();
            }
        }
    });
    joining.await.unwrap();
    stop
}
