use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::Value;
use tokio::net::TcpSocket;
use uuid::Uuid;

use super::tool::{pt, pt_with_input, values};
use crate::support;

const STATUS: [&str; 7] = [
    "send",
    "--service",
    "ingress",
    "--status",
    "received",
    "--status-msg",
    "said \"hello\"",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    STATUS.iter().chain(more).copied().collect()
}

fn file_of(content: &[u8]) -> PathBuf {
    let name = format!("messages-{}.jsonl", Uuid::new_v4().simple());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_from_flags_arrives_with_a_new_request_id() {
    let kafka = support::kafka().await;
    kafka.create_topic(1).await;

    let said = pt(&with(&["--org-id", "11789772"]), kafka.env()).await;

    assert_eq!(said.code, 0, "{said:?}");
    let sent: Value = serde_json::from_slice(&values(&kafka, 1).await[0]).unwrap();
    let request_id = sent["request_id"].as_str().unwrap();
    assert!(
        said.stdout.contains(&format!("request id {request_id}")),
        "{said:?}"
    );
    assert_eq!(request_id.len(), 32);
    assert_eq!(sent["service"], "ingress");
    assert_eq!(sent["status_msg"], "said \"hello\"");
    assert_eq!(sent["org_id"], "11789772");
    assert_eq!(sent.as_object().unwrap().len(), 6, "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_consumer_would_reject_is_not_sent_unless_told_to() {
    let kafka = support::kafka().await;
    kafka.create_topic(1).await;

    let refused = pt(&STATUS, kafka.env()).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    for word in ["missing_field", "org_id", "--no-validate"] {
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
    assert_eq!(refused.stderr.lines().count(), 1);

    let told = pt(
        &with(&["--no-validate", "--date", "yesterday"]),
        kafka.env(),
    )
    .await;
    assert_eq!(told.code, 0, "{told:?}");
    let sent: Value = serde_json::from_slice(&values(&kafka, 1).await[0]).unwrap();
    assert_eq!(sent["date"], "yesterday");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_file_arrive_as_they_are() {
    let kafka = support::kafka().await;
    kafka.create_topic(2).await;
    let file = file_of(b"{\"b\": 1 }\r\n\n  \nnot json \xff\n{\"a\":2}");

    let said = pt(&["send", file.to_str().unwrap()], kafka.env()).await;

    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("delivered 3 messages"), "{said:?}");
    assert_eq!(
        values(&kafka, 3).await,
        [
            b"not json \xff".to_vec(),
            b"{\"a\":2}".to_vec(),
            b"{\"b\": 1 }\r".to_vec()
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_longer_than_the_queue_arrives_whole() {
    let kafka = support::kafka().await;
    kafka.create_topic(4).await;
    let lines: String = (0..50_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();

    let said = pt_with_input(&["send", "-"], kafka.env(), lines.as_bytes()).await;

    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("delivered 50000 messages"), "{said:?}");
    let mut expected: Vec<&[u8]> = lines.lines().map(str::as_bytes).collect();
    expected.sort();
    assert_eq!(values(&kafka, 50_000).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_no_broker_takes_fails_alone() {
    let kafka = support::kafka().await;
    kafka.create_topic(1).await;
    let mut input = b"{\"n\":1}\n".to_vec();
    input.extend(vec![b'x'; 2_000_000]);
    input.extend(b"\n{\"n\":2}\n");

    let said = pt_with_input(&["send", "-"], kafka.env(), &input).await;

    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("delivered 2 messages"), "{said:?}");
    assert!(said.stderr.contains("1 message failed"), "{said:?}");
    assert!(said.stderr.contains("line 2 is longer than"), "{said:?}");
    assert_eq!(values(&kafka, 2).await, [b"{\"n\":1}", b"{\"n\":2}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_named_with_its_variable() {
    // Bound and never listening: nobody else takes the port, and connections to it are refused.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    let envs = [("KAFKA_BOOTSTRAP_SERVERS".to_owned(), address.clone())];

    let said = pt(&with(&["--org-id", "11789772"]), envs).await;

    assert_eq!(said.code, 1, "{said:?}");
    for word in [&*address, "KAFKA_BOOTSTRAP_SERVERS", "refused"] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_and_settings_exit_with_2() {
    let none: [(String, String); 0] = [];
    let wrong = [("KAFKA_SECURITY_PROTOCOL".to_owned(), "TLS".to_owned())];
    for (args, envs, word) in [
        (vec!["send"], none.to_vec(), "--service"),
        (vec!["send", "--service", "a"], none.to_vec(), "--status"),
        (
            with(&["messages.jsonl"]),
            none.to_vec(),
            "cannot be used with",
        ),
        (
            vec!["send", "/nowhere/messages.jsonl"],
            none.to_vec(),
            "/nowhere/messages.jsonl",
        ),
        (vec!["seed"], wrong.to_vec(), "KAFKA_SECURITY_PROTOCOL"),
    ] {
        let said = pt(&args, envs).await;
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.stderr.contains(word), "{args:?}: {said:?}");
    }
}
