//! Streams of statuses: what is told.

use std::time::{Duration, Instant};

use sea_orm::sqlx::{query, raw_sql};

use super::rows::partition;
use super::stream::{LIVE, Said, Stream, advance, commit, put, with_lanes};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_told_of_within_a_second_as_it_is_listed() {
    let api = with_lanes(2).await;
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    // Names are learned with the first.
    commit(&Said::default(), 0, 0..1, &api.database.pool).await;
    stream.status().await;
    commit(&Said::default(), 1, 0..1, &api.database.pool).await;
    let committed = Instant::now();
    let told = stream.status().await;
    let took = committed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    let listed = api.json("/statuses").await["data"].clone();
    assert!(
        listed.as_array().unwrap().contains(&told.json()),
        "{told:?}"
    );
    assert_eq!(told.said(), "1:0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_long_ago_is_told_of_when_it_is_committed() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let old = Said {
        date: "2026-01-31T08:00:00Z".to_owned(),
        ..Said::default()
    };
    partition(&old.date, pool).await;
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    let mut transaction = pool.begin().await.unwrap();
    put(&Said::default(), 0, 0, &mut transaction).await;
    put(&old, 0, 1, &mut transaction).await;
    put(&Said::default(), 0, 2, &mut transaction).await;
    advance(0, 3, 3, &mut transaction).await;
    transaction.commit().await.unwrap();
    assert_eq!(stream.said(3).await, ["0:0", "0:1", "0:2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_is_not_passed_over() {
    let api = with_lanes(2).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let start = stream.position().await;
    // Its rows have the lower ids and the earlier created_at.
    let mut late = pool.begin().await.unwrap();
    put(&Said::default(), 0, 0, &mut late).await;
    let other = Said {
        request_id: "s",
        service: "puptoo",
        status: "success",
        ..Said::default()
    };
    // Another session must not wait for a row of the first one's.
    raw_sql("INSERT INTO services (name) VALUES ('puptoo'); INSERT INTO statuses (name) VALUES ('success')")
        .execute(pool)
        .await
        .unwrap();
    commit(&other, 1, 0..2, pool).await;
    assert_eq!(stream.said(1).await, ["1:0"]);
    let last = stream.status().await;
    assert_eq!(last.said(), "1:1");
    advance(0, 1, 1, &mut late).await;
    late.commit().await.unwrap();
    assert_eq!(stream.said(1).await, ["0:0"]);
    // Nor by one who was away meanwhile.
    let mut again = Stream::open(&api, LIVE, last.id.as_deref()).await;
    assert_eq!(again.said(1).await, ["0:0"]);
    let mut all = Stream::open(&api, LIVE, Some(&start)).await;
    assert_eq!(all.said(3).await, ["0:0", "1:0", "1:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_odd_half_of_a_batch_is_told_of_with_the_rest_once() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    let mut half = pool.begin().await.unwrap();
    put(&Said::default(), 0, 1, &mut half).await;
    half.commit().await.unwrap();
    // Who comes between the halves does not hear of it yet either.
    let between = Stream::open(&api, LIVE, None).await.position().await;
    let mut half = pool.begin().await.unwrap();
    put(&Said::default(), 0, 0, &mut half).await;
    advance(0, 2, 2, &mut half).await;
    half.commit().await.unwrap();
    assert_eq!(stream.said(2).await, ["0:0", "0:1"]);
    let mut again = Stream::open(&api, LIVE, Some(&between)).await;
    assert_eq!(again.said(2).await, ["0:0", "0:1"]);
    commit(&Said::default(), 0, 2..3, pool).await;
    assert_eq!(stream.said(1).await, ["0:2"]);
    assert_eq!(again.said(1).await, ["0:2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_that_are_sent_back_or_appear_are_followed() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    commit(&Said::default(), 0, 0..3, pool).await;
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    raw_sql("UPDATE consumer_offsets SET next_offset = 0, first_offset = first_offset - 3, updated_at = now()")
        .execute(pool)
        .await
        .unwrap();
    let anew = Said {
        request_id: "anew",
        ..Said::default()
    };
    commit(&anew, 0, 0..2, pool).await;
    for expected in ["0:0", "0:1"] {
        let told = stream.status().await;
        assert_eq!(
            told.json()["request_id"],
            "anew",
            "not what was stored before"
        );
        assert_eq!(told.said(), expected);
    }
    query("INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset) VALUES ('t', 9, 40, 40)")
        .execute(pool)
        .await
        .unwrap();
    commit(&Said::default(), 9, 40..41, pool).await;
    assert_eq!(stream.said(1).await, ["9:40"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hear_the_same_and_nobody_is_looked_for_when_they_have_gone() {
    let api = with_lanes(1).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut stream = Stream::open(&api, LIVE, None).await;
        stream.position().await;
        streams.push(stream);
    }
    commit(&Said::default(), 0, 0..1, &api.database.pool).await;
    for stream in &mut streams {
        assert_eq!(stream.said(1).await, ["0:0"]);
    }
    drop(streams);
    let asked = || api.metrics.db_seconds.get_sample_count();
    eventually("nobody asks any more", Duration::from_secs(10), || async {
        let before = asked();
        tokio::time::sleep(Duration::from_millis(700)).await;
        (asked() == before).then_some(())
    })
    .await;
    // And the next one is heard again.
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    commit(&Said::default(), 0, 1..2, &api.database.pool).await;
    assert_eq!(stream.said(1).await, ["0:1"]);
}
