use std::process::Stdio;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::TestKafka;

/// No subcommand of these tests may take longer. `pt bench api` takes 45 s on two cores, beside others
/// that are tested.
const LIMIT: Duration = Duration::from_secs(180);

/// What `pt` said, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `pt` with no environment but this, and nothing on standard input.
pub async fn pt(args: &[&str], envs: impl IntoIterator<Item = (String, String)>) -> Said {
    pt_with_input(args, envs, b"").await
}

pub async fn pt_with_input(
    args: &[&str],
    envs: impl IntoIterator<Item = (String, String)>,
    input: &[u8],
) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pt"))
        .args(args)
        .env_clear()
        .envs(envs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = async move {
        // A command that reads no input may be gone already.
        stdin.write_all(input).await.ok();
    };
    let (output, ()) = timeout(LIMIT, async {
        tokio::join!(child.wait_with_output(), feed)
    })
    .await
    .unwrap_or_else(|_| panic!("pt {args:?} still runs after {LIMIT:?}"));
    let output = output.unwrap();
    Said {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_gone_breaks_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for (binary, args) in [
        (env!("CARGO_BIN_EXE_pt-consumer"), ["--check-config"]),
        (env!("CARGO_BIN_EXE_pt-api"), ["--openapi"]),
        (env!("CARGO_BIN_EXE_pt"), ["--help"]),
    ] {
        let child = Command::new(binary)
            .args(args)
            .env_clear()
            .stdout(writer.try_clone().unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked"), "{binary}: {said}");
    }
}

/// The values of the first `count` messages of the topic, sorted.
pub async fn values(kafka: &TestKafka, count: usize) -> Vec<Vec<u8>> {
    let consumer: BaseConsumer = kafka
        .client()
        .set("group.id", format!("{}-reader", kafka.group))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&kafka.topic]).unwrap();
    let mut values = tokio::task::spawn_blocking(move || read(&consumer, count))
        .await
        .unwrap();
    values.sort();
    values
}

fn read(consumer: &BaseConsumer, count: usize) -> Vec<Vec<u8>> {
    let end = Instant::now() + LIMIT;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Instant::now() < end, "{} of {count} messages", values.len());
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            values.push(message.payload().unwrap_or_default().to_vec());
        }
    }
    values
}
