//! Streams of statuses.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sea_orm::sqlx::{query, raw_sql};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::fixture::Api;
use super::rows::{host, partition};
use super::stream::{Said, Stream, advance, commit, lanes, put};
use crate::support::{self, Proxy, eventually};

const LIVE: &str = "/statuses/live";

pub async fn with_lanes(count: i32) -> Api {
    let api = Api::start().await;
    lanes(count, &api.database.pool).await;
    api
}

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
async fn filters_are_those_of_the_list() {
    let api = with_lanes(1).await;
    let pool = &api.database.pool;
    let wanted = Said {
        request_id: "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
        service: "puptoo",
        status: "success",
        ..Said::default()
    };
    let mut transaction = pool.begin().await.unwrap();
    put(&wanted, 0, 0, &mut transaction).await;
    advance(0, 1, 1, &mut transaction).await;
    transaction.commit().await.unwrap();
    raw_sql("UPDATE payloads SET account = 'a'")
        .execute(pool)
        .await
        .unwrap();
    host(1, 1, "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a", pool).await;
    let day = &wanted.date[..10];
    let filters = [
        ("service=PUPTOO", "service=ingress"),
        ("status=Success", "status=received"),
        (
            "service=puptoo&status=success",
            "service=puptoo&status=received",
        ),
        ("status_msg=0:1", "status_msg=0"),
        (
            "request_id=0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D",
            "request_id=r",
        ),
        (
            "inventory_id=5b1c4f0a9d3e4b7f8a6c2e1d0f9b8c7a",
            "system_id=5b1c4f0a9d3e4b7f8a6c2e1d0f9b8c7a",
        ),
        ("org_id=7", "org_id=8"),
        ("account=a", "account=b"),
        (&format!("date_gte={day}"), &format!("date_lt={day}")),
        (
            &format!("created_at_gte={day}"),
            &format!("created_at_lt={day}"),
        ),
        ("page_siz=x", "source=inventory"),
    ];
    let start = Stream::open(&api, LIVE, None).await.position().await;
    let mut streams = Vec::new();
    for (admits, refuses) in filters {
        let open = |filter: &str| {
            let path = format!("{LIVE}?{filter}");
            let api = &api;
            async move {
                let mut stream = Stream::open(api, &path, None).await;
                stream.position().await;
                stream
            }
        };
        streams.push((admits, refuses, open(admits).await, open(refuses).await));
    }
    commit(&wanted, 0, 1..2, pool).await;
    // By this a stream that lets the first one pass is found out: it lies between the two.
    for (admits, refuses, admitting, refusing) in &mut streams {
        assert_eq!(
            admitting.status().await.json()["service"],
            "puptoo",
            "{admits}"
        );
        let back = Stream::open(&api, &format!("{LIVE}?{admits}"), Some(&start))
            .await
            .said(1)
            .await;
        assert_eq!(back, ["0:1"], "{admits}, told of what was missed");
        let mut back = Stream::open(&api, &format!("{LIVE}?{refuses}"), Some(&start)).await;
        back.position().await;
        let nothing = tokio::time::timeout(Duration::from_millis(50), refusing.next()).await;
        assert!(nothing.is_err(), "{refuses}: {nothing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let api = with_lanes(1).await;
    for name in [
        "page",
        "page_size",
        "cursor",
        "sort_by",
        "sort_dir",
        "format",
    ] {
        let (status, message) = api.problem(&format!("{LIVE}?{name}=1")).await;
        assert_eq!(status, 400);
        assert!(
            message.starts_with(&format!("{name} \"1\" is not for a stream")),
            "{message}"
        );
    }
    for name in ["date", "created_at"] {
        for bound in ["lt", "lte", "gt", "gte"] {
            let (status, _) = api.problem(&format!("{LIVE}?{name}_{bound}=x")).await;
            assert_eq!(status, 400, "{name}_{bound}");
        }
    }
    for id in ["x", "AAAA", "%00"] {
        let answer = api
            .request(&format!("/v1{LIVE}"))
            .header("last-event-id", id)
            .send();
        let (status, message) = super::fixture::problem(answer.await.unwrap()).await;
        assert_eq!(status, 400);
        assert!(message.starts_with("Last-Event-ID is not"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_s_stream_begins_with_its_statuses_so_far() {
    let api = with_lanes(2).await;
    let pool = &api.database.pool;
    let date = |second: u32| format!("{}T00:00:{second:02}Z", &Said::default().date[..10]);
    let of = |request_id, second| Said {
        request_id,
        date: date(second),
        ..Said::default()
    };
    commit(&of("r", 9), 0, 0..1, pool).await;
    commit(&of("other", 1), 0, 1..2, pool).await;
    commit(&of("r", 5), 1, 0..1, pool).await;
    // Half of a batch, of which it is to hear with the other half.
    let mut half = pool.begin().await.unwrap();
    put(&of("r", 7), 1, 1, &mut half).await;
    half.commit().await.unwrap();
    let mut stream = Stream::open(
        &api,
        "/payloads/%20R%20/events".replace('R', "r").as_str(),
        None,
    )
    .await;
    for expected in ["1:0", "0:0"] {
        let told = stream.next().await.unwrap();
        assert_eq!((told.said().as_str(), &told.id), (expected, &None));
    }
    let id = stream.position().await;
    let mut half = pool.begin().await.unwrap();
    advance(1, 2, 1, &mut half).await;
    half.commit().await.unwrap();
    assert_eq!(stream.said(1).await, ["1:1"]);
    commit(&of("other", 20), 0, 2..3, pool).await;
    commit(&of("r", 20), 1, 2..3, pool).await;
    assert_eq!(stream.said(1).await, ["1:2"]);
    let mut again = Stream::open(&api, "/payloads/r/events", Some(&id)).await;
    assert_eq!(again.said(2).await, ["1:1", "1:2"]);
    assert_eq!(
        api.problem("/payloads/unknown/events").await,
        (404, "payload with id: unknown not found".to_owned())
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
    for round in 0..20 {
        let mut transaction = pool.begin().await.unwrap();
        for offset in 10 * round..10 * round + 10 {
            put(&Said::default(), 0, offset, &mut transaction).await;
        }
        raw_sql("UPDATE payload_statuses SET status_msg = repeat('x', 200000) WHERE length(status_msg) < 100")
            .execute(&mut *transaction)
            .await
            .unwrap();
        advance(0, 10 * round + 10, 10, &mut transaction).await;
        transaction.commit().await.unwrap();
        for _ in 0..10 {
            quick.status().await;
        }
    }
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut all));
    let length = read.await.expect("it is cut off").unwrap_or(all.len());
    assert!(length < 40_000_000, "it was not sent everything: {length}");
    let end = String::from_utf8_lossy(&all[all.len().saturating_sub(300)..]).into_owned();
    assert!(
        end.contains("event: end\ndata: {\"reason\":\"too slow\"}"),
        "{end}"
    );
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
