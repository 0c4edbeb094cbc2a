//! How streams end, and what does not end them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::fixture::Api;
use super::stream::{LIVE, Said, Stream, advance, commit, lanes, put, shout, with_lanes};
use crate::support::{self, Proxy, eventually};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_cut_off_and_told_why() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let address = api.url.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow = socket.connect(address).await.unwrap();
    slow.write_all(b"GET /v1/statuses/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut read = vec![0; 1_024];
    let begun = slow.read(&mut read).await.unwrap();
    assert!(read[..begun].starts_with(b"HTTP/1.1 200"));
    let mut quick = Stream::open(&api, LIVE, None).await;
    quick.position().await;
    for round in 0..12 {
        shout(pool, 10 * round..10 * round + 10).await;
        for _ in 0..10 {
            quick.status().await;
        }
    }
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut all));
    let length = read.await.expect("it is cut off").unwrap_or(all.len());
    assert!(length < 24_000_000, "it was not sent everything: {length}");
    let end = String::from_utf8_lossy(&all[all.len().saturating_sub(300)..]).into_owned();
    assert!(
        end.contains("event: end\ndata: {\"reason\":\"too slow\"}"),
        "{end}"
    );
    eventually("it is counted", SOON, || async {
        (cut_off(&api, "too_slow") == 1).then_some(())
    })
    .await;
    assert_eq!(api.metrics.listeners.get(), 1, "the quick one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_leaves_no_gap() {
    let database = support::database().await;
    lanes(1, &database.pool).await;
    let proxy = Proxy::to(database.config().port).await;
    let mut config = database.config();
    (config.host, config.port) = ("127.0.0.1".to_owned(), proxy.port());
    let api = Api::started(database, &config, &[]).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let id = stream.position().await;
    commit(&Said::default(), 0, 0..1, pool).await;
    assert_eq!(stream.said(1).await, ["0:0"]);
    proxy.refuse();
    commit(&Said::default(), 0, 1..3, pool).await;
    let refused = proxy.refused();
    eventually("it goes on trying", Duration::from_secs(20), || async {
        (proxy.refused() > refused + 2).then_some(())
    })
    .await;
    stream.comment().await;
    let away = Stream::open(&api, LIVE, Some(&id)).await;
    proxy.restore();
    assert_eq!(stream.said(2).await, ["0:1", "0:2"]);
    let mut away = away;
    assert_eq!(away.said(3).await, ["0:0", "0:1", "0:2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_begin_is_a_503() {
    let database = support::database().await;
    let mut config = database.config();
    config.port = support::free_port();
    let api = Api::started(database, &config, &[]).await;
    for path in [LIVE, "/payloads/r/events"] {
        let answer = api.send(&format!("/v1{path}")).await;
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(super::fixture::problem(answer).await.0, 503);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_service_stops() {
    let api = with_lanes(1).await;
    commit(&Said::default(), 0, 0..1, &api.database.pool).await;
    for path in [LIVE, "/payloads/r/events"] {
        let mut stream = Stream::open(&api, path, None).await;
        if path != LIVE {
            stream.status().await;
        }
        stream.position().await;
        api.stop.cancel();
        let end = stream.next().await.unwrap();
        assert_eq!(
            (end.kind.as_str(), end.data.as_str()),
            ("end", "{\"reason\":\"the service stops\"}")
        );
        assert_eq!(stream.next().await, None);
    }
    eventually("they are counted", SOON, || async {
        (cut_off(&api, "stopping") == 2 && api.metrics.listeners.get() == 0).then_some(())
    })
    .await;
}

fn cut_off(api: &Api, reason: &str) -> u64 {
    let cut_off = &api.metrics.listeners_cut_off;
    cut_off.with_label_values(&[reason]).get()
}

/// What is new is the same at the next look, and would take as long for ever.
#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_ended_where_what_is_new_cannot_be_found_in_time() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let mut stream = Stream::open(&api, LIVE, None).await;
    let stood = stream.position().await;
    let mut session = pool.acquire().await.unwrap();
    put(&Said::default(), 0, 0, &mut session).await;
    api.sql(
        "ALTER TABLE payload_statuses RENAME TO stored;
         CREATE VIEW payload_statuses AS SELECT stored.* FROM stored, pg_sleep(30)",
    )
    .await;
    advance(0, 1, 1, &mut session).await;
    let end = stream.next().await.unwrap();
    assert_eq!(end.kind, "end", "{end:?}");
    assert_eq!(stream.next().await, None);
    api.sql("DROP VIEW payload_statuses; ALTER TABLE stored RENAME TO payload_statuses")
        .await;
    let mut back = Stream::open(&api, LIVE, Some(&stood)).await;
    assert_eq!(back.said(1).await, ["0:0"]);
}
