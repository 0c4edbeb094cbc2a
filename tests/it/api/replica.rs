//! `DATABASE_READ_URL`.

use super::rows::Payload;
use crate::ingest::lab::{SOON, is_ready};
use crate::support::{self, Process, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_reads_from_the_replica() {
    let primary = support::database().await;
    let replica = support::database().await;
    Payload::of("11").put(&primary.pool).await;
    Payload::of("22").put(&replica.pool).await;
    let config = replica.config();
    let url = format!("postgres://{}:{}/{}", config.host, config.port, config.name);
    let settings = [("DATABASE_READ_URL".to_owned(), url)];
    let api = Process::spawn("pt-api", primary.env().into_iter().chain(settings));
    is_ready(&api).await;
    // What is live is read from the primary.
    let events = format!("http://127.0.0.1:{}/v1/payloads/11/events", api.public_port);
    let mut events = reqwest::get(events).await.unwrap();
    assert_eq!(events.status(), 200);
    let first = events.chunk().await.unwrap().unwrap();
    assert!(!first.is_empty());
    let (status, list) = eventually("an answer", SOON, || api.get("/api/v1/payloads")).await;
    assert_eq!(status, 200, "{list}");
    assert!(
        list.contains("\"22\"") && !list.contains("\"11\""),
        "{list}"
    );
}
