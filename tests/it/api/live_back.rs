//! Listeners of streams that come back.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::sqlx::raw_sql;

use super::stream::{LIVE, Said, Stream, advance, commit, put, with_lanes};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_hears_the_rest_and_nothing_twice() {
    let api = with_lanes(3).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let mut ids = vec![stream.position().await];
    let mut heard = Vec::new();
    for round in 0..3 {
        let mut transaction = pool.begin().await.unwrap();
        for lane in 0..3 {
            for offset in 2 * round..2 * round + 2 {
                put(&Said::default(), lane, offset, &mut transaction).await;
            }
            advance(lane, 2 * round + 2, 2, &mut transaction).await;
        }
        transaction.commit().await.unwrap();
        for _ in 0..6 {
            let event = stream.status().await;
            heard.push(event.said());
            ids.push(event.id.unwrap());
        }
    }
    let all: BTreeSet<&String> = heard.iter().collect();
    assert_eq!(all.len(), 18);
    for (passed, id) in ids.iter().enumerate() {
        let mut again = Stream::open(&api, LIVE, Some(id)).await;
        let rest = again.said(18 - passed).await;
        let before: BTreeSet<&String> = heard[..passed].iter().collect();
        let rest: BTreeSet<&String> = rest.iter().collect();
        assert!(before.is_disjoint(&rest), "after {passed}");
        assert_eq!(before.len() + rest.len(), 18, "after {passed}");
        again.position().await;
        let more = tokio::time::timeout(Duration::from_millis(50), again.next()).await;
        assert!(more.is_err(), "and nothing more: {more:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hears_nothing_is_told_where_it_stands() {
    let api = with_lanes(1).await;
    let path = format!("{LIVE}?service=nobody");
    let mut stream = Stream::open(&api, &path, None).await;
    let start = stream.position().await;
    commit(&Said::default(), 0, 0..1, &api.database.pool).await;
    let later = stream.position().await;
    assert_ne!(start, later);
    let mut all = Stream::open(&api, LIVE, Some(&later)).await;
    all.position().await;
    commit(&Said::default(), 0, 1..2, &api.database.pool).await;
    assert_eq!(
        all.said(1).await,
        ["0:1"],
        "what it was spared is not told again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_more_than_can_be_told_is_told_so() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let id = stream.position().await;
    let mut transaction = pool.begin().await.unwrap();
    put(&Said::default(), 0, 0, &mut transaction).await;
    raw_sql(
        "INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date, origin_partition, origin_offset) \
         SELECT 1, service_id, status_id, '0:' || n, date, 0, n FROM payload_statuses, generate_series(1, 12099) AS n",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    advance(0, 12_100, 12_100, &mut transaction).await;
    transaction.commit().await.unwrap();
    // Who listens hears of all, piece by piece.
    for offset in 0..12_100 {
        assert_eq!(stream.status().await.said(), format!("0:{offset}"));
    }
    let mut again = Stream::open(&api, LIVE, Some(&id)).await;
    for offset in 0..10_000 {
        assert_eq!(again.next().await.unwrap().said(), format!("0:{offset}"));
    }
    let skipped = again.next().await.unwrap();
    assert_eq!(skipped.kind, "skipped");
    assert_eq!(
        skipped.json()["reason"],
        "more than 10000 statuses were missed"
    );
    assert!(skipped.json()["stored_until"].is_string());
    again.position().await;
    commit(&Said::default(), 0, 12_100..12_101, pool).await;
    assert_eq!(again.said(1).await, ["0:12100"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_whose_payload_is_gone_are_passed_over() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let id = stream.position().await;
    commit(&Said::default(), 0, 0..1, pool).await;
    // More than are read at once.
    let mut transaction = pool.begin().await.unwrap();
    raw_sql(
        "INSERT INTO payload_statuses (payload_id, service_id, status_id, date, origin_partition, origin_offset) \
         SELECT 0, service_id, status_id, date, 0, n FROM payload_statuses, generate_series(1, 450) AS n",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    advance(0, 451, 450, &mut transaction).await;
    transaction.commit().await.unwrap();
    commit(&Said::default(), 0, 451..452, pool).await;
    assert_eq!(stream.said(2).await, ["0:0", "0:451"]);
    let mut again = Stream::open(&api, LIVE, Some(&id)).await;
    assert_eq!(again.said(2).await, ["0:0", "0:451"]);
    again.position().await;
}
