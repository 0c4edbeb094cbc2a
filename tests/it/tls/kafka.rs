//! Each way into a Kafka that asks for it, against Apache Kafka itself: `make test-kafka`, whose listeners
//! scripts/kafka/secure sets up.

use std::env;

use serde_json::{Value, json};

use super::certificates::{Certificate, File};
use crate::cli::tool::{Said, pt};
use crate::ingest::lab::{Lab, SOON, Totals, is_not_ready, statuses};
use crate::support::Process;

const MESSAGES: usize = 10;

/// What scripts/kafka/run says of its broker.
fn told(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run make test-kafka"))
}

fn bootstrap(listener: &str) -> (&'static str, String) {
    ("KAFKA_BOOTSTRAP_SERVERS", told(listener))
}

fn authority() -> (&'static str, String) {
    ("KAFKA_CA", told("TEST_KAFKA_CA"))
}

fn login(mechanism: &str) -> Vec<(&'static str, String)> {
    vec![
        ("KAFKA_SASL_MECHANISM", mechanism.to_owned()),
        ("KAFKA_USERNAME", told("TEST_KAFKA_USERNAME")),
        ("KAFKA_PASSWORD", told("TEST_KAFKA_PASSWORD")),
    ]
}

fn protocol(name: &str) -> (&'static str, String) {
    ("KAFKA_SECURITY_PROTOCOL", name.to_owned())
}

type Settings = Vec<(&'static str, String)>;

fn borrowed(settings: &Settings) -> Vec<(&str, &str)> {
    let pairs = settings.iter();
    pairs.map(|(name, value)| (*name, value.as_str())).collect()
}

/// A consumer with these settings stores what is sent over the plain listener.
async fn reads(settings: Settings) {
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(MESSAGES)).await;
    let _consumer = lab.consumer(&borrowed(&settings));
    let stored = lab.passed(MESSAGES, SOON).await;
    assert_eq!(stored, Totals::of(MESSAGES));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn tls_alone() {
    reads(vec![bootstrap("TEST_KAFKA_SSL"), authority()]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_certificate_of_the_client_s_own() {
    let mut settings = vec![bootstrap("TEST_KAFKA_SSL_BOTH_SIDES"), authority()];
    settings.push(("KAFKA_CLIENT_CERT", told("TEST_KAFKA_CLIENT_CERT")));
    settings.push(("KAFKA_CLIENT_KEY", told("TEST_KAFKA_CLIENT_KEY")));
    reads(settings).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn scram_sha_512_in_the_clear() {
    let mut settings = login("SCRAM-SHA-512");
    settings.push(bootstrap("TEST_KAFKA_SASL_PLAINTEXT"));
    settings.push(protocol("SASL_PLAINTEXT"));
    reads(settings).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn scram_sha_256_in_tls() {
    let mut settings = login("SCRAM-SHA-256");
    settings.extend([bootstrap("TEST_KAFKA_SASL_SSL"), authority()]);
    reads(settings).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_plain_password_in_tls() {
    let mut settings = login("PLAIN");
    settings.extend([bootstrap("TEST_KAFKA_SASL_SSL"), authority()]);
    reads(settings).await;
}

/// Clowder's file for the listener with TLS and SASL, with the topic under another name.
fn clowder(topic: &str, cacert: &str) -> Value {
    let address = told("TEST_KAFKA_SASL_SSL");
    let (hostname, port) = address.rsplit_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    json!({"kafka": {
        "brokers": [{
            "hostname": hostname, "port": port, "cacert": cacert, "authtype": "sasl",
            "securityProtocol": "SASL_SSL",
            "sasl": {
                "username": told("TEST_KAFKA_USERNAME"), "password": told("TEST_KAFKA_PASSWORD"),
                "saslMechanism": "SCRAM-SHA-512", "securityProtocol": "SASL_SSL",
            },
        }],
        "topics": [{"requestedName": "platform.payload-status", "name": topic}],
    }})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn everything_from_clowder() {
    let lab = Lab::with_partitions(1).await;
    lab.kafka.send(Some(0), statuses(MESSAGES)).await;
    let ca = std::fs::read_to_string(told("TEST_KAFKA_CA")).unwrap();
    // The authority that counts is not the first one of the bundle.
    let bundle = Certificate::authority().pem() + &ca;
    let file = File::new(&clowder(&lab.kafka.topic, &bundle).to_string());
    let mut envs = lab.database.env();
    for (name, value) in [
        ("ACG_CONFIG", file.path()),
        ("KAFKA_GROUP_ID", lab.kafka.group.as_str()),
        ("KAFKA_AUTO_OFFSET_RESET", "earliest"),
    ] {
        envs.push((name.to_owned(), value.to_owned()));
    }
    let _consumer = Process::spawn("pt-consumer", envs);
    let stored = lab.passed(MESSAGES, SOON).await;
    assert_eq!(stored, Totals::of(MESSAGES));
}

/// Consumer and tool say why they are not let in.
async fn refused(settings: Settings, because: &str) {
    let lab = Lab::with_partitions(1).await;
    tokio::join!(
        consumer_is_refused(&lab, &settings, because),
        tool_is_refused(&lab, &settings, because)
    );
}

/// It stays, since a broker's settings may be what is wrong.
async fn consumer_is_refused(lab: &Lab, settings: &Settings, because: &str) {
    let consumer = lab.consumer(&borrowed(settings));
    is_not_ready(&consumer, because).await;
    let log = consumer.log();
    let said = |line: &str| line.contains("waiting for Kafka") && line.contains(because);
    assert!(log.lines().any(said), "{log}");
}

async fn tool_is_refused(lab: &Lab, settings: &Settings, because: &str) {
    let mut envs = lab.kafka.env();
    for (name, value) in settings {
        envs.push(((*name).to_owned(), value.clone()));
    }
    let status = "send --service ingress --status received --org-id 1";
    let args: Vec<&str> = status.split(' ').collect();
    let Said { code, stderr, .. } = pt(&args, envs).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains(because), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_wrong_scram_password() {
    let mut settings = login("SCRAM-SHA-512");
    settings.extend([bootstrap("TEST_KAFKA_SASL_SSL"), authority()]);
    settings.push(("KAFKA_PASSWORD", "wrong".into()));
    refused(settings, "SASL authentication error").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_wrong_plain_password() {
    let mut settings = login("PLAIN");
    settings.push(bootstrap("TEST_KAFKA_SASL_PLAINTEXT"));
    settings.push(protocol("SASL_PLAINTEXT"));
    settings.push(("KAFKA_PASSWORD", "wrong".into()));
    refused(settings, "SASL authentication error").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn an_authority_that_is_not_the_brokers() {
    let other = File::new(&Certificate::authority().pem());
    let settings = vec![
        bootstrap("TEST_KAFKA_SSL"),
        ("KAFKA_CA", other.path().to_owned()),
    ];
    refused(settings, "certificate verify failed").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn a_host_name_that_is_not_in_the_certificate() {
    let address = told("TEST_KAFKA_SSL").replace("localhost", "127.0.0.1");
    let settings = vec![("KAFKA_BOOTSTRAP_SERVERS", address), authority()];
    refused(settings, "certificate verify failed").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make test-kafka"]
async fn no_certificate_where_one_is_asked_for() {
    let settings = vec![bootstrap("TEST_KAFKA_SSL_BOTH_SIDES"), authority()];
    refused(settings, "bad certificate").await;
}
