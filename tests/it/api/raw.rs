//! Requests byte by byte, as no well-meaning client sends them.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fixture::Api;

/// A noisy machine is no reason to fail.
const SOON: Duration = Duration::from_secs(20);

/// What came back. Nothing of the body of a stream, which does not end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// As it came, in lower case.
    head: String,
    pub body: String,
}

impl Answer {
    fn of(head: &str, body: Vec<u8>) -> Self {
        let status = head.split(' ').nth(1).expect(head);
        Self {
            status: status.parse().expect(head),
            head: head.to_ascii_lowercase(),
            body: String::from_utf8(body).expect("text"),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The message of an error, which has to have the one form.
    pub fn message(&self) -> String {
        let json = self.header("content-type") == Some("application/json");
        assert!(json, "{self:?}");
        let body: Value = serde_json::from_str(&self.body).expect(&self.body);
        assert_eq!(body["status"], self.status, "{self:?}");
        assert_eq!(body.as_object().unwrap().len(), 3, "{self:?}");
        let message = body["message"].as_str().unwrap();
        assert!(!message.is_empty() && message.len() < 1_500, "{self:?}");
        message.to_owned()
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }
}

/// A request of this method and target, with these headers besides.
pub async fn ask(api: &Api, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    send(api, request.as_bytes()).await.expect("an answer")
}

/// The answer to these bytes; none where the other side says nothing.
pub async fn send(api: &Api, bytes: &[u8]) -> Option<Answer> {
    let answer = timeout(SOON, answered(api, bytes)).await;
    answer.unwrap_or_else(|_| panic!("no answer: {}", String::from_utf8_lossy(bytes)))
}

async fn answered(api: &Api, bytes: &[u8]) -> Option<Answer> {
    let mut connection = connect(api).await;
    // Who has heard enough may not read the rest.
    connection.write_all(bytes).await.ok();
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut read).await.unwrap_or(0) == 0 {
            assert!(read.is_empty(), "{}", String::from_utf8_lossy(&read));
            return None;
        }
    };
    let body = read.split_off(end + 4);
    let mut answer = Answer::of(std::str::from_utf8(&read).unwrap(), Vec::new());
    let length = answer
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    let has_body = !bytes.starts_with(b"HEAD ");
    let mut body = body;
    while has_body && body.len() < length {
        let more = connection.read_buf(&mut body).await.unwrap();
        assert_ne!(more, 0, "the body ends early: {answer:?}");
    }
    answer.body = String::from_utf8(body).expect("text");
    Some(answer)
}

pub async fn connect(api: &Api) -> TcpStream {
    let address = api.url.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}
