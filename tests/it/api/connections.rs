//! Clients that do not speak as they should, to the real `pt-api`.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::ingest::lab::is_ready;
use crate::support::{self, Process};

const CLIENTS: usize = 300;
/// After 30 s, and some for a machine that is busy.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(50);

async fn api() -> Process {
    let api = Process::spawn("pt-api", support::database().await.env());
    is_ready(&api).await;
    api
}

async fn connect(api: &Process) -> TcpStream {
    TcpStream::connect(("127.0.0.1", api.public_port))
        .await
        .unwrap()
}

/// What comes back until the other side ends it.
async fn said(mut stream: TcpStream, bytes: &[u8]) -> String {
    // A server that has heard enough may not read the rest.
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    timeout(CUT_OFF_WITHIN, read).await.unwrap().ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_are_cut_off_and_hold_up_nobody() {
    let api = api().await;
    let begun = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = connect(&api).await;
        stream
            .write_all(b"GET /api/v1/payloads HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    let asked = Instant::now();
    let (status, _) = api.get("/api/v1/payloads").await.unwrap();
    assert_eq!(status, 200);
    assert!(asked.elapsed() < Duration::from_secs(5));
    for mut stream in slow {
        // A byte now and then does not help.
        stream.write_all(b"x").await.ok();
        assert!(said(stream, b"y").await.is_empty());
    }
    assert!(
        begun.elapsed() > Duration::from_secs(25),
        "the limit is 30 s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_no_http_is_refused_and_harms_nobody() {
    let api = api().await;
    let long = "x".repeat(200_000);
    for (bytes, status) in [
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
            "431",
        ),
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), "4"),
        (
            "GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n".to_owned(),
            "400",
        ),
        ("\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1_000)),
            "431",
        ),
    ] {
        let answer = said(connect(&api).await, bytes.as_bytes()).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{expected}: {answer}");
    }
    let (status, body) = api.get("/api/v1/").await.unwrap();
    assert_eq!((status, body.as_str()), (200, "lubdub"));
}
