//! What streams may be asked.

use std::time::Duration;

use sea_orm::sqlx::raw_sql;

use super::rows::host;
use super::stream::{LIVE, Said, Stream, advance, commit, put, with_lanes};

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
