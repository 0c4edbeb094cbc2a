use std::time::Duration;

use super::super::{
    AssignmentStrategy, Authority, Kafka, OffsetReset, SaslMechanism, SecurityProtocol,
};
use super::{File, PEM, env, message};

fn properties<const N: usize>(variables: [(&str, &str); N]) -> Vec<(&'static str, String)> {
    Kafka::load(&env(variables)).unwrap().client_properties()
}

fn owned<const N: usize>(properties: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    properties
        .map(|(name, value)| (name, value.to_owned()))
        .into()
}

#[test]
fn defaults_are_the_contracts() {
    let kafka = Kafka::load(&env([])).unwrap();
    assert_eq!(kafka.bootstrap_servers, "localhost:29092");
    assert_eq!(kafka.group_id, "payload_tracker");
    assert_eq!(kafka.topic, "platform.payload-status");
    assert_eq!(kafka.auto_offset_reset, OffsetReset::Latest);
    assert_eq!(
        kafka.membership.strategy,
        AssignmentStrategy::CooperativeSticky
    );
    assert_eq!(kafka.membership.instance_id, None);
    assert_eq!(kafka.membership.session_timeout, Duration::from_secs(10));
    assert_eq!(kafka.security_protocol, SecurityProtocol::Plaintext);
    assert_eq!(
        (kafka.ca, kafka.client_certificate, kafka.sasl),
        (None, None, None)
    );
}

#[test]
fn variables_win_over_defaults() {
    let kafka = Kafka::load(&env([
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,[::1]:9093"),
        ("KAFKA_GROUP_ID", "g"),
        ("TOPIC_PAYLOAD_STATUS", "my.topic_1"),
        ("KAFKA_AUTO_OFFSET_RESET", "Earliest"),
        ("KAFKA_ASSIGNMENT_STRATEGY", "Range"),
        ("KAFKA_GROUP_INSTANCE_ID", "consumer-0"),
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
    ]))
    .unwrap();
    assert_eq!(kafka.membership.strategy, AssignmentStrategy::Range);
    assert_eq!(kafka.membership.instance_id.as_deref(), Some("consumer-0"));
    assert_eq!(kafka.membership.session_timeout, Duration::from_secs(6));
    assert_eq!(kafka.bootstrap_servers, "a:9092,[::1]:9093");
    assert_eq!(kafka.group_id, "g");
    assert_eq!(kafka.topic, "my.topic_1");
    assert_eq!(kafka.auto_offset_reset, OffsetReset::Earliest);
}

#[test]
fn a_session_outlasts_a_restart_where_the_member_has_a_name() {
    let kafka = Kafka::load(&env([("KAFKA_GROUP_INSTANCE_ID", "a")])).unwrap();
    assert_eq!(kafka.membership.session_timeout, Duration::from_secs(45));
}

#[test]
fn librdkafka_is_told_each_way_of_security() {
    let plain = owned([
        ("bootstrap.servers", "localhost:29092"),
        ("security.protocol", "PLAINTEXT"),
    ]);
    assert_eq!(properties([]), plain);

    let ca = File::new(PEM);
    let tls = owned([
        ("bootstrap.servers", "localhost:29092"),
        ("security.protocol", "SSL"),
        ("ssl.ca.location", ca.path()),
    ]);
    assert_eq!(properties([("KAFKA_CA", ca.path())]), tls);

    let sasl = owned([
        ("bootstrap.servers", "localhost:29092"),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "u"),
        ("sasl.password", "secret"),
    ]);
    let login = [("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "secret")];
    let [user, password] = login;
    let protocol = ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext");
    assert_eq!(
        properties([user, password, protocol, ("KAFKA_SASL_MECHANISM", "plain")]),
        sasl
    );

    let both = owned([
        ("bootstrap.servers", "localhost:29092"),
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", ca.path()),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "u"),
        ("sasl.password", "secret"),
    ]);
    assert_eq!(properties([user, password, ("KAFKA_CA", ca.path())]), both);
}

#[test]
fn librdkafka_is_told_the_client_certificate() {
    let (certificate, key) = (File::new(PEM), File::new("key"));
    let told = properties([
        ("KAFKA_SECURITY_PROTOCOL", "SSL"),
        ("KAFKA_CLIENT_CERT", certificate.path()),
        ("KAFKA_CLIENT_KEY", key.path()),
    ]);
    assert_eq!(
        told[2..],
        owned([
            ("ssl.certificate.location", certificate.path()),
            ("ssl.key.location", key.path())
        ])
    );
}

#[test]
fn librdkafka_knows_every_property() {
    let (ca, certificate, key) = (File::new(PEM), File::new(PEM), File::new("key"));
    let kafka = Kafka::load(&env([
        ("KAFKA_CA", ca.path()),
        ("KAFKA_CLIENT_CERT", certificate.path()),
        ("KAFKA_CLIENT_KEY", key.path()),
        ("KAFKA_USERNAME", "u"),
        ("KAFKA_PASSWORD", "p"),
    ]))
    .unwrap();
    let pem = Kafka {
        ca: Some(Authority::Pem(PEM.to_owned())),
        ..kafka.clone()
    };
    for kafka in [kafka, pem] {
        let mut client = rdkafka::ClientConfig::new();
        for (name, value) in kafka.client_properties() {
            client.set(name, value);
        }
        client.create_native_config().unwrap();
    }
}

#[test]
fn without_a_protocol_no_password_travels_in_the_clear() {
    let kafka = Kafka::load(&env([("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "p")])).unwrap();
    assert_eq!(kafka.security_protocol, SecurityProtocol::SaslSsl);
    assert_eq!(kafka.sasl.unwrap().mechanism, SaslMechanism::ScramSha512);
}

#[test]
fn a_wrong_value_is_named_with_what_is_allowed() {
    let servers = "allowed is host:port, several with commas";
    let name = "allowed is 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'";
    let mechanism = "allowed is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512";
    for (name, value, allowed) in [
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost", servers),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost:0", servers),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,", servers),
        ("KAFKA_BOOTSTRAP_SERVERS", "a b:9092", servers),
        ("TOPIC_PAYLOAD_STATUS", "^platform.*", name),
        ("TOPIC_PAYLOAD_STATUS", "..", name),
        (
            "KAFKA_AUTO_OFFSET_RESET",
            "newest",
            "allowed is earliest, latest",
        ),
        (
            "KAFKA_ASSIGNMENT_STRATEGY",
            "sticky",
            "allowed is cooperative-sticky, range, roundrobin",
        ),
        ("KAFKA_GROUP_INSTANCE_ID", "pod 1", name),
        (
            "KAFKA_SESSION_TIMEOUT_MS",
            "5999",
            "allowed is a whole number from 6000 to 300000",
        ),
        ("KAFKA_SASL_MECHANISM", "GSSAPI", mechanism),
        (
            "KAFKA_SECURITY_PROTOCOL",
            "TLS",
            "allowed is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; ",
        ),
        // One that contradicts the credentials.
        (
            "KAFKA_SECURITY_PROTOCOL",
            "SSL",
            "one of SASL if KAFKA_USERNAME is set",
        ),
    ] {
        let login = [("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "secret")];
        let said = message(Kafka::load(&env([login[0], login[1], (name, value)])));
        assert!(
            said.starts_with(&format!("{name} is {value:?} (from environment); ")),
            "{said}"
        );
        assert!(said.contains(allowed), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let ca = File::new(PEM);
    let clash = [
        ("KAFKA_CA", ca.path()),
        ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
    ];
    assert!(message(Kafka::load(&env(clash))).contains("one of SSL if KAFKA_CA is"));
}

#[test]
fn a_missing_value_is_named_with_what_needs_it() {
    for (variable, expected) in [
        (
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            "KAFKA_USERNAME is not set, but needed since KAFKA_SECURITY_PROTOCOL is one of SASL",
        ),
        (
            ("KAFKA_USERNAME", "u"),
            "KAFKA_PASSWORD is not set, but needed since KAFKA_SECURITY_PROTOCOL is one of SASL",
        ),
        (
            ("KAFKA_CLIENT_CERT", "c"),
            "KAFKA_CLIENT_KEY is not set, but needed since KAFKA_CLIENT_CERT is set",
        ),
        (
            ("KAFKA_CLIENT_KEY", "k"),
            "KAFKA_CLIENT_CERT is not set, but needed since KAFKA_CLIENT_KEY is set",
        ),
    ] {
        assert_eq!(message(Kafka::load(&env([variable]))), expected);
    }
}

#[test]
fn the_password_is_never_shown() {
    let env = env([("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "secret")]);
    let kafka = Kafka::load(&env).unwrap();
    let shown = format!("{kafka:?}{}", env.report());
    assert!(!shown.contains("secret"), "{shown}");
    assert!(
        shown.contains("KAFKA_PASSWORD=***  (from environment)"),
        "{shown}"
    );
}
