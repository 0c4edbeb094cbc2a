//! What the consumer stores is told of to who listens, large batches in halves included.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;

use super::lab::{Lab, SOON, statuses};
use crate::support::{Process, eventually};

const MESSAGES: usize = 12_000;

/// A client that reads the messages of statuses, line by line.
struct Client {
    response: Response,
    read: Vec<u8>,
    last: String,
}

impl Client {
    async fn open(api: &Process, last: &str) -> Self {
        let url = format!("http://127.0.0.1:{}/api/v1/statuses/live", api.public_port);
        let request = reqwest::Client::new().get(url);
        let response = request.header("last-event-id", last).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            response,
            read: Vec::new(),
            last: last.to_owned(),
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                let line = std::mem::replace(&mut self.read, rest);
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            let more = timeout(SOON, self.response.chunk())
                .await
                .expect("nothing came");
            let more = more.unwrap().expect("the stream ended");
            self.read.extend_from_slice(&more);
        }
    }

    /// The message of the next status, whose id is then `last`. Signs of life do not count.
    async fn said(&mut self) -> String {
        let status = timeout(SOON, self.status()).await;
        status.unwrap_or_else(|_| panic!("nothing was said after {}", self.last))
    }

    async fn status(&mut self) -> String {
        let mut said = None;
        loop {
            let line = self.line().await;
            assert_ne!(line, "event: skipped", "{:?}", self.line().await);
            assert_ne!(line, "event: end", "{:?}", self.line().await);
            if let Some(id) = line.strip_prefix("id: ") {
                self.last = id.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data: serde_json::Value = serde_json::from_str(data).unwrap();
                said = data["status_msg"].as_str().map(str::to_owned);
            } else if line.is_empty()
                && let Some(said) = said.take()
            {
                return said;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_is_told_of_once_whoever_hangs_up_in_between() {
    let lab = Lab::with_partitions(5).await;
    let api = Process::spawn("pt-api", lab.database.env());
    eventually("it serves", SOON, || async {
        api.get("/live").await.map(|_| ())
    })
    .await;
    let mut client = Client::open(&api, "").await;
    while client.last.is_empty() {
        let line = client.line().await;
        client.last = line.strip_prefix("id: ").unwrap_or_default().to_owned();
    }
    let _consumer = lab
        .ready_consumer(&[("KAFKA_AUTO_OFFSET_RESET", "earliest")])
        .await;
    lab.kafka.send(None, statuses(MESSAGES)).await;
    let mut heard = BTreeSet::new();
    for number in 1..=MESSAGES {
        let said = client.said().await;
        assert!(heard.insert(said.clone()), "{said} is told of twice");
        if number % 1_000 == 0 {
            client = Client::open(&api, &client.last.clone()).await;
        }
    }
    lab.passed(MESSAGES, SOON).await;
    let more = timeout(Duration::from_secs(1), client.said()).await;
    assert!(more.is_err(), "{more:?} is told of twice");
}
