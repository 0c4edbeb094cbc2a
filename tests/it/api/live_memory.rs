//! What listeners cost, in the real process.

use std::fs;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::stream::{Said, commit, lanes};
use crate::support::{self, Process, eventually};

const LISTENERS: usize = 1_000;
const SOON: Duration = Duration::from_secs(60);

/// Reads until the text has come.
async fn until(client: &mut TcpStream, text: &str) {
    let mut all = Vec::new();
    let mut read = [0; 4_096];
    let come = async {
        while !String::from_utf8_lossy(&all).contains(text) {
            let length = client.read(&mut read).await.unwrap();
            assert_ne!(length, 0, "the stream ended before {text}");
            all.extend_from_slice(&read[..length]);
        }
    };
    timeout(SOON, come).await.expect(text);
}

fn resident_kibibytes(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_listeners_fit_into_100_mib() {
    let database = support::database().await;
    lanes(1, &database.pool).await;
    let mut api = Process::spawn("pt-api", database.env());
    eventually("it serves", SOON, || async {
        api.get("/live").await.map(|_| ())
    })
    .await;
    let alone = resident_kibibytes(&api);
    let mut clients = Vec::new();
    for _ in 0..LISTENERS {
        let mut client = TcpStream::connect(("127.0.0.1", api.public_port))
            .await
            .unwrap();
        let request = b"GET /v1/statuses/live HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        until(client, "event: position").await;
    }
    let idle = resident_kibibytes(&api);
    commit(&Said::default(), 0, 0..1, &database.pool).await;
    for client in &mut clients {
        until(client, "event: status").await;
    }
    let told = resident_kibibytes(&api);
    println!("alone {alone} KiB, {LISTENERS} listeners: {idle} KiB, after a status {told} KiB");
    // None of them keeps it from ending.
    let asked = Instant::now();
    assert!(api.terminate().await.success());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    for client in &mut clients {
        until(client, "the service stops").await;
    }
    assert!(idle.max(told) < 100 * 1_024, "{idle} KiB, then {told} KiB");
}
