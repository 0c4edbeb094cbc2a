//! `pt dev` as a person runs it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use payload_tracker::dev::child::{Signal, alive};
use uuid::Uuid;

use crate::cli::tool::pt;
use crate::support::{Process, eventually, free_port};

const READY_WITHIN: Duration = Duration::from_secs(90);
/// What Ctrl-C may take.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// A `pt dev` of its own: folder, ports and topic.
struct Dev {
    folder: PathBuf,
    kafka_port: u16,
    process: Process,
}

impl Dev {
    fn start(folder: PathBuf) -> Self {
        let kafka_port = free_port();
        let own = |name: &str, value: String| (name.to_owned(), value);
        let path = std::env::var("PATH").unwrap();
        let process = Process::spawn_with(
            "pt",
            &["dev"],
            [
                own("PATH", path),
                own("PT_DEV_DIR", folder.display().to_string()),
                own("KAFKA_PORT", kafka_port.to_string()),
                own("CONSUMER_METRICSPORT", free_port().to_string()),
            ],
        );
        Self {
            folder,
            kafka_port,
            process,
        }
    }

    /// Waits for the printed block and gives the addresses it has for `curl`.
    async fn ready(&self) -> Vec<String> {
        eventually("the block of pt dev", READY_WITHIN, || async {
            let log = self.process.log();
            log.contains("Ctrl-C stops everything").then(|| urls(&log))
        })
        .await
    }

    /// The processes it started, by what the system knows of their parents.
    fn children(&self) -> Vec<u32> {
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| parent(*pid) == Some(self.process.pid()))
            .collect()
    }

    /// Stops it in order. One that is killed, as at the end of a test, leaves its services to end by themselves,
    /// which takes them seconds without database and broker: they would outlive the test.
    async fn end(mut self) {
        self.process.signal(Signal::Interrupt);
        self.process.exited(STOPPED_WITHIN).await;
        std::fs::remove_dir_all(&self.folder).ok();
    }

    async fn all_gone(&self, pids: &[u32]) {
        eventually("the end of every child", STOPPED_WITHIN, || async {
            (!pids.iter().any(|pid| alive(*pid))).then_some(())
        })
        .await;
    }
}

fn urls(log: &str) -> Vec<String> {
    log.lines()
        .filter_map(|line| Some(line.split_once("curl ")?.1.trim().to_owned()))
        .collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}

/// Every process that was told of the folder, by an argument or by its environment.
fn processes_of(folder: &Path) -> Vec<u32> {
    let mark = folder.as_os_str().as_encoded_bytes();
    let is_told = |pid: &u32| {
        ["cmdline", "environ"].iter().any(|file| {
            let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            text.windows(mark.len()).any(|part| part == mark)
        })
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_told)
        .collect()
}

fn folder() -> PathBuf {
    let name = format!("payload-tracker-it-{}", Uuid::new_v4().simple());
    std::env::temp_dir().join(name)
}

async fn statuses(url: &str) -> HashSet<String> {
    let body = reqwest::get(url).await.unwrap().text().await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    let rows = answer["data"].as_array().unwrap();
    let text = |row: &serde_json::Value| row["status"].as_str().unwrap().to_owned();
    rows.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pt_dev_answers_stops_in_order_and_comes_back_with_its_data() {
    let mut dev = Dev::start(folder());
    let urls = dev.ready().await;
    let [succeeded, failed, stuck] = &urls[..] else {
        panic!("three lines for curl, not {urls:?}");
    };
    assert!(statuses(succeeded).await.contains("success"));
    assert!(statuses(failed).await.contains("error"));
    assert!(!statuses(stuck).await.is_empty());
    let children = dev.children();
    assert_eq!(children.len(), 3, "PostgreSQL, consumer and API");

    dev.process.signal(Signal::Interrupt);
    dev.process.signal(Signal::Interrupt);
    assert!(dev.process.exited(STOPPED_WITHIN).await.success());
    assert!(!children.iter().any(|pid| alive(*pid)));

    let id = succeeded.rsplit('/').next().unwrap();
    let again = Dev::start(dev.folder.clone());
    again.ready().await;
    let port = again.process.public_port;
    let kept = format!("http://localhost:{port}/api/v1/payloads/{id}");
    assert!(statuses(&kept).await.contains("success"));
    again.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pt_dev_leaves_nothing_in_the_way_of_the_next() {
    let mut dev = Dev::start(folder());
    dev.ready().await;
    let children = dev.children();
    dev.process.signal(Signal::Kill);
    // At once, while the killed one holds its lock and the orphans run.
    let next = Dev::start(dev.folder.clone());
    next.ready().await;
    dev.all_gone(&children).await;
    next.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pt_dev_killed_at_any_moment_leaves_no_process() {
    // Before and between the starts of PostgreSQL, consumer and API, and once all run.
    for children in 0..=3 {
        let dev = Dev::start(folder());
        eventually("children", READY_WITHIN, || async {
            (dev.children().len() >= children).then_some(())
        })
        .await;
        let folder = dev.folder.clone();
        drop(dev);
        eventually("the end of every process", STOPPED_WITHIN, || async {
            processes_of(&folder).is_empty().then_some(())
        })
        .await;
        std::fs::remove_dir_all(&folder).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_stops_all_and_is_named() {
    let mut dev = Dev::start(folder());
    dev.ready().await;
    let children = dev.children();
    let pid = std::fs::read_to_string(dev.folder.join("logs/pt-api.pid")).unwrap();
    let pid = pid.lines().next().unwrap().parse().unwrap();
    payload_tracker::dev::child::send(pid, Signal::Kill);
    let status = dev.process.exited(STOPPED_WITHIN).await;
    assert_eq!(status.code(), Some(1));
    assert!(dev.process.log().contains("pt-api ended by itself"));
    dev.all_gone(&children).await;
    std::fs::remove_dir_all(&dev.folder).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_variable_before_anything_starts() {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let folder = folder();
    let mut process = Process::spawn_with(
        "pt",
        &["dev"],
        [
            ("PT_DEV_DIR".to_owned(), folder.display().to_string()),
            ("KAFKA_PORT".to_owned(), port.to_string()),
        ],
    );
    let status = process.exited(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(1));
    let said = format!("port {port} for the Kafka broker is taken: free it or set KAFKA_PORT");
    assert!(process.log().contains(&said), "{}", process.log());
    assert!(!folder.join("postgres").exists());
    std::fs::remove_dir_all(&folder).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_named_before_anything_starts() {
    for (name, value) in [("PT_POSTGRES_MAJOR", "13"), ("KAFKA_PORT", "70000")] {
        let folder = folder();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let envs = [
            own("PT_DEV_DIR", &folder.display().to_string()),
            own(name, value),
        ];
        let said = pt(&["dev"], envs).await;
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
        let named = format!("pt: {name}={value}: allowed");
        assert!(said.stderr.starts_with(&named), "{said:?}");
        assert!(!folder.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_client_reaches_the_stable_address() {
    let dev = Dev::start(folder());
    dev.ready().await;
    let request_id = Uuid::new_v4().simple().to_string();
    let status = serde_json::json!({
        "service": "mine", "request_id": request_id, "status": "received",
        "org_id": "1", "date": chrono::Utc::now().to_rfc3339(),
    });
    send(dev.kafka_port, &status.to_string()).await;
    let path = format!("/api/v1/payloads/{request_id}");
    eventually("the status sent", Duration::from_secs(20), || async {
        let (code, _) = dev.process.get(&path).await?;
        (code == 200).then_some(())
    })
    .await;
    dev.end().await;
}

async fn send(port: u16, value: &str) {
    use rdkafka::producer::{FutureProducer, FutureRecord};
    let producer: FutureProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", format!("localhost:{port}"))
        .create()
        .unwrap();
    let record = FutureRecord::<(), _>::to("platform.payload-status").payload(value);
    producer
        .send(record, Duration::from_secs(20))
        .await
        .unwrap();
}
