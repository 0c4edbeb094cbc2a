//! The harness itself: what every other test relies on.

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use sea_orm::sqlx::{query, query_scalar, raw_sql};
use tokio::time::timeout;

use crate::support::{self, TestDatabase, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn tests_do_not_see_each_other_s_tables() {
    let one = support::empty_database().await;
    let other = support::empty_database().await;
    query("CREATE TABLE mine ()")
        .execute(&one.pool)
        .await
        .unwrap();
    let seen: bool = query_scalar("SELECT to_regclass('mine') IS NOT NULL")
        .fetch_one(&other.pool)
        .await
        .unwrap();
    assert!(!seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_set_up_alike_everywhere() {
    let database = support::empty_database().await;
    let settings: (String, String, String) = sea_orm::sqlx::query_as(
        "SELECT current_setting('timezone'), current_setting('server_encoding'),
                (SELECT datcollate::text FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(settings, ("UTC".into(), "UTF8".into(), "C".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_comes_back_with_its_data() {
    let mut server = support::own_server().await;
    let database = TestDatabase::on(&server).await;
    query("CREATE TABLE kept ()")
        .execute(&database.pool)
        .await
        .unwrap();
    server.stop().await;
    assert!(support::connect(&database.config()).await.is_err());
    server.start().await;
    let seen: bool = eventually("a session", Duration::from_secs(10), || async {
        query_scalar("SELECT to_regclass('kept') IS NOT NULL")
            .fetch_one(&database.pool)
            .await
            .ok()
    })
    .await;
    assert!(seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_cuts_refuses_and_restores() {
    let database = support::empty_database().await;
    let proxy = support::Proxy::to(database.config().port).await;
    let mut config = database.config();
    config.port = proxy.port();
    let works = || async { support::connect(&config).await.is_ok() };
    assert!(works().await);
    proxy.refuse();
    assert!(!works().await);
    proxy.restore();
    assert!(works().await);

    let mut session = support::connect(&config).await.unwrap();
    query("SELECT 1").execute(&mut session).await.unwrap();
    proxy.cut();
    // A task of the proxy ends the connection.
    let asked = async { while query("SELECT 1").execute(&mut session).await.is_ok() {} };
    timeout(Duration::from_secs(10), asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_loses_an_answer_after_what_was_asked_took_place() {
    let database = support::empty_database().await;
    let proxy = support::Proxy::to(database.config().port).await;
    let mut config = database.config();
    config.port = proxy.port();
    proxy.lose_answers(b"CREATE TABLE", 1);
    let mut session = support::connect(&config).await.unwrap();
    let asked = raw_sql("CREATE TABLE there ()").execute(&mut session).await;
    assert!(asked.is_err());
    assert_eq!(proxy.answers_to_lose(), 0);
    let took_place: bool = query_scalar("SELECT to_regclass('there') IS NOT NULL")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert!(took_place);
    assert!(support::connect(&config).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_another_one_reads() {
    let kafka = support::kafka().await;
    kafka.create_topic(3).await;
    kafka.send(Some(2), [b"in two".to_vec()]).await;
    kafka.send(None, [b"anywhere".to_vec()]).await;
    let mut seen = tokio::task::spawn_blocking(move || read(&kafka, 2))
        .await
        .unwrap();
    seen.sort();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].0, b"anywhere");
    assert_eq!(seen[1], (b"in two".to_vec(), 2));
}

/// Value and partition of the first messages of the topic.
fn read(kafka: &support::TestKafka, count: usize) -> Vec<(Vec<u8>, i32)> {
    let consumer: BaseConsumer = kafka
        .client()
        .set("group.id", &kafka.group)
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[&kafka.topic]).unwrap();
    (0..count)
        .map(|_| {
            let message = next(&consumer);
            (message.payload().unwrap().to_vec(), message.partition())
        })
        .collect()
}

/// A poll comes back empty-handed after a rebalance too.
fn next(consumer: &BaseConsumer) -> OwnedMessage {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            return message.unwrap().detach();
        }
    }
    panic!("no message within 30 s");
}
