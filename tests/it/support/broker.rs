use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use payload_tracker::dev::child::{Child, Signal, send};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use uuid::Uuid;

use super::sweeper::{Sweeper, sweep};
use super::{Proxy, TestKafka, eventually, free_port};

/// Java starts, reads its log again, and elects itself.
const READY_WITHIN: Duration = Duration::from_secs(200);
const STOP_WITHIN: Duration = Duration::from_secs(40);
const ANSWER: Duration = Duration::from_secs(5);

/// An Apache Kafka of the test's own, which it may stop, kill and start again on the same data. Every client
/// reaches it through a proxy that can cut connections.
pub struct OwnBroker {
    pub proxy: Proxy,
    port: u16,
    folder: PathBuf,
    script: Option<Child>,
    _sweeper: Sweeper,
}

impl OwnBroker {
    /// Starts one with an empty log.
    pub async fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join(format!(".dev/kafka/own-{}", Uuid::new_v4().simple()));
        fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let mut broker = Self {
            proxy: Proxy::to(port).await,
            port,
            _sweeper: sweep(&folder, "kafka.pid"),
            folder,
            script: None,
        };
        broker.restart().await;
        broker
    }

    /// A topic and a group of the test's own in it, reached through the proxy.
    pub fn topic(&self) -> TestKafka {
        TestKafka::at(format!("localhost:{}", self.proxy.port()))
    }

    /// Starts it again where it stopped.
    pub async fn restart(&mut self) {
        assert!(self.script.is_none(), "it runs");
        let out = File::create(self.folder.join("run.log")).unwrap();
        let mut command = Command::new("scripts/kafka/run");
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("KAFKA_PORT", self.port.to_string())
            .env("KAFKA_ADVERTISED_PORT", self.proxy.port().to_string())
            .env("KAFKA_DATA", &self.folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        self.script = Some(Child::spawn(command, Signal::Terminate).unwrap());
        self.ready().await;
    }

    /// Ends it in order.
    pub async fn stop(&mut self) {
        let mut script = self.script.take().expect("stopped already");
        script.end(Signal::Terminate, STOP_WITHIN).await.unwrap();
    }

    /// Ends it as a crash of its process does. What it acknowledged is with the operating system.
    pub async fn kill9(&mut self) {
        let mut script = self.script.take().expect("stopped already");
        let pid = fs::read_to_string(self.folder.join("kafka.pid")).unwrap();
        send(pid.trim().parse().unwrap(), Signal::Kill);
        // The script ends with the broker.
        script.wait(STOP_WITHIN).await.unwrap().expect("the end");
    }

    async fn ready(&mut self) {
        let log = self.folder.join("run.log");
        let script = self.script.as_mut().expect("started");
        eventually("Apache Kafka", READY_WITHIN, || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let ended = script.try_wait().unwrap();
            assert!(ended.is_none(), "Apache Kafka ended: {said}");
            async move { said.contains("is ready").then_some(()) }
        })
        .await;
        let port = self.port;
        let answered = tokio::task::spawn_blocking(move || answers(port));
        assert!(answered.await.unwrap(), "Apache Kafka does not answer");
    }
}

/// Asked past the proxy, which may be refusing.
fn answers(port: u16) -> bool {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", format!("localhost:{port}"))
        .create()
        .unwrap();
    client.fetch_metadata(None, ANSWER).is_ok()
}
