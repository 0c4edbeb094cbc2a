use std::fs;
use std::path::PathBuf;

use rdkafka::consumer::{BaseConsumer, Consumer};
use sea_orm::sqlx::query_scalar;
use serde_json::Value;
use uuid::Uuid;

use super::tool::{Said, pt};
use crate::ingest::lab::{Lab, SOON, statuses};
use crate::support::eventually;

/// Runs `pt bench ingest` and reads the JSON it wrote.
async fn measured(lab: &Lab, args: &[&str]) -> (Said, Value) {
    measured_with(lab, &[&["ingest"], args].concat(), &[]).await
}

/// Runs `pt bench` and reads the JSON it wrote.
async fn measured_with(lab: &Lab, args: &[&str], own: &[(&str, &str)]) -> (Said, Value) {
    let name = format!("bench-{}.json", Uuid::new_v4().simple());
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let json = file.to_str().unwrap().to_owned();
    let envs = lab.database.env().into_iter().chain(lab.kafka.env());
    let own = own
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    let args = [&["bench"], args, &["--json", &json]].concat();
    let said = pt(&args, envs.chain(own)).await;
    assert_eq!(said.code, 0, "{said:?}");
    let numbers = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    (said, numbers)
}

async fn bench(lab: &Lab, args: &[&str]) -> Said {
    let envs = lab.database.env().into_iter().chain(lab.kafka.env());
    pt(&[&["bench", "ingest"], args].concat(), envs).await
}

async fn number(lab: &Lab, sql: &'static str, name: &str) -> i64 {
    let number = query_scalar(sql).bind(name).fetch_one(lab.pool());
    number.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_drains_a_backlog_and_compares_it_with_copy() {
    let lab = Lab::with_partitions(3).await;
    let (said, numbers) =
        measured(&lab, &["--topic", &lab.kafka.topic, "--messages", "2000"]).await;
    let drain = &numbers["drain"];
    assert_eq!(drain["messages"], 2_000);
    assert_eq!(drain["rows"]["payload_statuses"], 2_000);
    assert_eq!(numbers["partitions"], 3);
    let rows: i64 = ["payloads", "payload_ids", "payload_statuses"]
        .iter()
        .map(|table| drain["rows"][table].as_i64().unwrap())
        .sum();
    assert_eq!(numbers["copy"]["rows"], rows);

    let batches = &drain["batches"];
    let count = batches["count"].as_u64().unwrap();
    let closed = batches["closed_by"].as_object().unwrap();
    let closed: u64 = closed.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(count, closed);
    let mean = |of: &str| batches[of].as_f64().unwrap();
    assert_eq!((mean("mean_messages") * count as f64).round(), 2_000.0);
    assert!(mean("mean_payloads") >= 1.0 && mean("mean_payloads") <= mean("mean_messages"));
    let bytes = drain["bytes"].as_f64().unwrap();
    assert!((mean("mean_bytes") * count as f64 - bytes).abs() < 1.0);

    let stages = drain["stages"].as_object().unwrap();
    let spent: f64 = stages.values().map(|spent| spent.as_f64().unwrap()).sum();
    assert!(stages["statuses"].as_f64().unwrap() > 0.0);
    assert!(spent < drain["seconds"].as_f64().unwrap(), "{drain}");
    if cfg!(target_os = "linux") {
        assert!(drain["consumer"]["cpu_seconds"].as_f64().unwrap() > 0.0);
        assert!(drain["consumer"]["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
        assert!(drain["server_cpu"].as_f64().unwrap() > 0.0);
    }
    assert!(said.stdout.contains("messages/s"), "{said:?}");
    assert!(said.stdout.contains("COPY of the same"), "{said:?}");

    let statuses = "SELECT count(*) FROM payload_statuses WHERE $1 <> ''";
    let database = numbers["database"].as_str().unwrap();
    assert_eq!(
        number(&lab, statuses, database).await,
        0,
        "in the environment's own"
    );
    let databases = "SELECT count(*) FROM pg_database WHERE datname = $1";
    assert_eq!(number(&lab, databases, database).await, 0, "left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_puts_older_payloads_there_first() {
    let lab = Lab::with_partitions(2).await;
    let topic = lab.kafka.topic.as_str();
    let args = ["--topic", topic, "--messages", "500", "--payloads", "3000"];
    let (said, numbers) = measured(&lab, &args).await;
    assert_eq!(numbers["older_payloads"], 3_000);
    let rows = &numbers["drain"]["rows"];
    assert_eq!(rows["payload_statuses"], 500);
    assert!(rows["payloads"].as_i64().unwrap() <= 500, "{rows}");
    assert!(numbers.get("copy").is_none());
    assert!(said.stdout.starts_with("3000 older payloads"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_tells_the_latency_of_a_steady_rate() {
    let lab = Lab::with_partitions(2).await;
    let topic = lab.kafka.topic.as_str();
    let args = ["--topic", topic, "--rate", "100", "--seconds", "3"];
    let (said, numbers) = measured(&lab, &args).await;
    let steady = &numbers["steady"];
    let latency = &steady["latency"];
    let ms = |of: &str| latency[of].as_f64().unwrap();
    assert!(latency["samples"].as_u64().unwrap() > 10, "{steady}");
    assert!(0.0 < ms("p50_ms") && ms("p50_ms") <= ms("p99_ms"));
    assert!(ms("p99_ms") <= ms("max_ms"));
    assert!(steady["seconds"].as_f64().unwrap() >= 2.9);
    let batches = &steady["batches"];
    let of = |of: &str| batches[of].as_f64().unwrap();
    // The last ones may not be committed yet.
    let messages = of("count") * of("mean_messages");
    assert!((200.0..=300.5).contains(&messages), "{steady}");
    assert!(numbers.get("drain").is_none());
    assert!(said.stdout.contains("of one core"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_takes_only_an_empty_topic() {
    let lab = Lab::without_topic().await;
    let topic = ["--topic", lab.kafka.topic.as_str()];
    let said = bench(&lab, &topic).await;
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("does not exist"), "{said:?}");

    lab.kafka.create_topic(2).await;
    lab.kafka.send(None, statuses(5)).await;
    let said = bench(&lab, &topic).await;
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("is not empty"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_ingest_says_when_settings_make_rejects_of_its_messages() {
    let lab = Lab::with_partitions(2).await;
    let own = ("VALIDATE_REQUEST_ID_LENGTH".to_owned(), "12".to_owned());
    let envs = lab.database.env().into_iter().chain(lab.kafka.env());
    let topic = lab.kafka.topic.as_str();
    let args = ["bench", "ingest", "--messages", "300", "--topic", topic];
    let said = pt(&args, envs.chain([own])).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("0 of 300 messages"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn bench_ingest_makes_a_topic_of_its_own_and_removes_it() {
    let lab = Lab::without_topic().await;
    let args = ["--messages", "3000", "--partitions", "4"];
    let (_, numbers) = measured(&lab, &args).await;
    assert_eq!(numbers["partitions"], 4);
    assert_eq!(numbers["drain"]["rows"]["payload_statuses"], 3_000);
    let topic = numbers["topic"].as_str().unwrap();
    let client: BaseConsumer = lab.kafka.client().create().unwrap();
    let gone = eventually("deleted", SOON, || async {
        let metadata = client.fetch_metadata(None, SOON).ok()?;
        let topics = metadata.topics();
        topics
            .iter()
            .all(|known| known.name() != topic)
            .then_some(())
    });
    gone.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_api_asks_each_kind_of_question_and_meets_no_error() {
    let lab = Lab::without_topic().await;
    // Briefly: for as long nothing else of this machine has its turn.
    let few = ["--statuses", "500", "--days", "3", "--seconds", "0.1"];
    let args = [&["api", "--clients", "2"][..], &few].concat();
    let (_, numbers) = measured_with(&lab, &args, &[]).await;
    let routes = numbers["routes"].as_array().unwrap();
    assert_eq!(routes.len(), 25);
    for route in routes {
        assert_eq!(route["errors"], 0, "{route}");
        assert!(route["per_second"].as_f64().unwrap() > 0.0, "{route}");
        let latency = &route["latency"];
        assert!(
            latency["p50_ms"].as_f64() <= latency["p99_ms"].as_f64(),
            "{route}"
        );
        // Short of it, the rows are missing that the question is about.
        let at_least = match route["route"].as_str().unwrap() {
            "/accounting" => 3_000,
            "/producers" | "/rejects" | "/statuses" | "/statuses?cursor" => 1_000,
            "/statuses?format=csv" | "/payloads/{id}/trace?format=chrome" => 600,
            "/rejects/{id}" => 500,
            _ => 10,
        };
        assert!(route["bytes"].as_u64().unwrap() >= at_least, "{route}");
    }
    assert!(numbers["api"]["peak_rss_bytes"].as_u64().unwrap() > 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_api_takes_no_time_that_is_none() {
    for none in ["0", "-1", "NaN", "1e300", "five"] {
        let seconds = format!("--seconds={none}");
        let said = pt(&["bench", "api", &seconds], []).await;
        assert_eq!(said.code, 2, "{none}");
        assert!(said.stderr.contains("a number above 0"), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_api_says_whether_messages_were_stored_as_fast_as_they_came() {
    let (lab, other) = tokio::join!(Lab::with_partitions(2), Lab::with_partitions(2));
    let mixed = async |lab: &Lab, own: &[(&str, &str)]| {
        let topic = lab.kafka.topic.as_str();
        let few = ["--statuses", "500", "--days", "3", "--seconds", "3"];
        let rates = ["--rate", "20", "--ingest", "100", "--topic", topic];
        let (said, numbers) = measured_with(lab, &[&["api"][..], &few, &rates].concat(), own).await;
        let stored = numbers["mixed"]["stored_per_second"].as_f64().unwrap();
        let backlog = numbers["mixed"]["backlog"].as_u64().unwrap();
        let text = format!("meanwhile {stored:.0} messages/s were stored; {backlog} sent were not");
        assert!(said.stdout.contains(&text), "{said:?}");
        (stored, backlog)
    };
    // Messages whose request ids are too long become rejects, and are never stored.
    let rejecting = [("VALIDATE_REQUEST_ID_LENGTH", "12")];
    let (kept_up, fell_behind) = tokio::join!(mixed(&lab, &[]), mixed(&other, &rejecting));
    // On a busy machine both go up and down.
    assert!((30.0..300.0).contains(&kept_up.0), "{kept_up:?}");
    assert!(kept_up.1 < 1_000, "{kept_up:?}");
    assert_eq!(fell_behind.0, 0.0);
    assert!((1_000..=1_300).contains(&fell_behind.1), "{fell_behind:?}");
}
