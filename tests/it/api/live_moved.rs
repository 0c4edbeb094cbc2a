//! Streams of lanes that do not just go on.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::{PgPool, query, raw_sql};

use super::fixture::Api;
use super::stream::{LIVE, Said, Stream, advance, commit, put, with_lanes};
use crate::support::{Proxy, eventually};

const SOON: Duration = Duration::from_secs(20);

fn of(request_id: &'static str) -> Said {
    Said {
        request_id,
        ..Said::default()
    }
}

/// Waits until the tailer has looked at the offsets as they are now.
async fn is_looked_at(api: &Api) {
    let looks = || api.metrics.db_seconds.get_sample_count();
    let before = looks();
    // One may have begun before.
    eventually("two looks", SOON, || async {
        (looks() > before + 1).then_some(())
    })
    .await;
}

/// As `pt offsets set` does it.
async fn send_back(lane: i32, to: i64, pool: &PgPool) {
    query(
        "UPDATE consumer_offsets \
            SET first_offset = first_offset - (next_offset - $2), next_offset = $2 WHERE partition = $1",
    )
    .bind(lane)
    .bind(to)
    .execute(pool)
    .await
    .unwrap();
}

async fn stored_ago(minutes: i32, pool: &PgPool) {
    for sql in [
        "UPDATE payload_statuses SET created_at = now() - make_interval(mins => $1)",
        "UPDATE consumer_offsets SET updated_at = now() - make_interval(mins => $1)",
    ] {
        query(sql).bind(minutes).execute(pool).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_before_a_lane_was_sent_back_is_told_of_no_more() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    commit(&of("old"), 0, 0..6, pool).await;
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    send_back(0, 0, pool).await;
    is_looked_at(&api).await;
    for offset in 0..5 {
        commit(&of("anew"), 0, offset..offset + 1, pool).await;
        let told = stream.status().await;
        assert_eq!(told.json()["request_id"], "anew", "{offset}");
        assert_eq!(told.said(), format!("0:{offset}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_away_when_a_lane_was_sent_back_hears_what_was_stored_since() {
    let api = with_lanes(2).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    stream.position().await;
    commit(&of("old"), 0, 0..9, pool).await;
    commit(&of("old"), 1, 0..1, pool).await;
    let mut last = None;
    for _ in 0..10 {
        last = stream.status().await.id;
    }
    drop(stream);
    send_back(0, 0, pool).await;
    commit(&of("anew"), 0, 0..2, pool).await;
    for _ in 0..2 {
        // The second one comes back from an id that was given in between.
        let mut stream = Stream::open(&api, LIVE, last.as_deref()).await;
        let told = stream.status().await;
        assert_eq!(told.json()["request_id"], "anew");
        last = told.id;
    }
    let mut stream = Stream::open(&api, LIVE, last.as_deref()).await;
    stream.position().await;
    commit(&of("anew"), 0, 2..12, pool).await;
    for offset in 2..12 {
        assert_eq!(stream.status().await.said(), format!("0:{offset}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_s_stream_begins_with_what_was_stored_before_its_lane_was_sent_back() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    commit(&of("r"), 0, 0..3, pool).await;
    send_back(0, 0, pool).await;
    let mut stream = Stream::open(&api, "/payloads/r/events", None).await;
    assert_eq!(stream.said(3).await, ["0:0", "0:1", "0:2"]);
    let id = stream.position().await;
    stored_ago(1, pool).await;
    commit(&of("r"), 0, 0..1, pool).await;
    assert_eq!(stream.said(1).await, ["0:0"]);
    let mut again = Stream::open(&api, "/payloads/r/events", Some(&id)).await;
    assert_eq!(again.said(1).await, ["0:0"]);
    again.position().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_that_waited_long_for_the_other_is_told_of() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    put(&of("odd"), 0, 1, &mut pool.acquire().await.unwrap()).await;
    raw_sql("UPDATE odd_offsets SET next_offset = 2")
        .execute(pool)
        .await
        .unwrap();
    stored_ago(20, pool).await;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let id = stream.position().await;
    is_looked_at(&api).await;
    let mut even = pool.begin().await.unwrap();
    put(&of("even"), 0, 0, &mut even).await;
    advance(0, 2, 2, &mut even).await;
    even.commit().await.unwrap();
    assert_eq!(stream.said(2).await, ["0:0", "0:1"]);
    let mut again = Stream::open(&api, LIVE, Some(&id)).await;
    assert_eq!(again.said(2).await, ["0:0", "0:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_knows_less_than_another_tells_nothing_twice() {
    let ahead = with_lanes(1).await;
    let database = Arc::clone(&ahead.database);
    let pool = &database.pool;
    let proxy = Proxy::to(database.config().port).await;
    let mut config = database.config();
    (config.host, config.port) = ("127.0.0.1".to_owned(), proxy.port());
    let behind = Api::started(Arc::clone(&database), &config, &[]).await;
    let mut stays = Stream::open(&behind, LIVE, None).await;
    stays.position().await;
    let mut stream = Stream::open(&ahead, LIVE, None).await;
    stream.position().await;
    proxy.refuse();
    commit(&Said::default(), 0, 0..2, pool).await;
    assert_eq!(stream.said(1).await, ["0:0"]);
    let last = stream.status().await;
    // It comes while the other cannot look, and is let in once that can.
    let open = Stream::open(&behind, LIVE, last.id.as_deref());
    let (mut stream, ()) = tokio::join!(open, async { proxy.restore() });
    assert_eq!(stays.said(2).await, ["0:0", "0:1"]);
    commit(&Said::default(), 0, 2..3, pool).await;
    assert_eq!(stream.said(1).await, ["0:2"]);
}
