use std::time::Duration;

use super::super::{
    Api, Authority, Consumer, Database, Http, Kafka, SaslMechanism, SecurityProtocol, SslMode,
};
use super::{File, PEM, env, message, try_env};

fn managed() -> File {
    let config = serde_json::json!({
        "publicPort": 8000,
        "privatePort": 10000,
        "metricsPort": 9000,
        "metricsPath": "/numbers",
        "endpoints": [{"app": "x", "hostname": "x.svc", "port": 8000}],
        "kafka": {
            "brokers": [
                {
                    "hostname": "b1.example.com", "port": 9096, "cacert": PEM, "authtype": "sasl",
                    "securityProtocol": "SASL_SSL",
                    "sasl": {
                        "username": "ku", "password": "kafka-secret", "saslMechanism": "SCRAM-SHA-256",
                        "securityProtocol": "SASL_SSL",
                    },
                },
                {"hostname": "b2.example.com"},
            ],
            "topics": [
                {"requestedName": "platform.upload", "name": "other"},
                {"requestedName": "platform.payload-status", "name": "env-1-payload-status"},
            ],
        },
        "database": {
            "hostname": "db.example.com", "port": 5433, "name": "pt", "username": "du",
            "password": "db-secret", "sslMode": "verify-full", "rdsCa": PEM,
            "adminUsername": "postgres", "adminPassword": "admin-secret",
        },
    });
    File::new(&config.to_string())
}

#[test]
fn clowder_wins_over_defaults() {
    let file = managed();
    let env = env([("ACG_CONFIG", file.path())]);

    let kafka = Kafka::load(&env).unwrap();
    assert_eq!(
        kafka.bootstrap_servers,
        "b1.example.com:9096,b2.example.com:9092"
    );
    assert_eq!(kafka.topic, "env-1-payload-status");
    assert_eq!(kafka.security_protocol, SecurityProtocol::SaslSsl);
    assert_eq!(kafka.ca, Some(Authority::Pem(PEM.to_owned())));
    let sasl = kafka.sasl.unwrap();
    assert_eq!(
        (sasl.username.as_str(), sasl.password.as_str()),
        ("ku", "kafka-secret")
    );
    assert_eq!(sasl.mechanism, SaslMechanism::ScramSha256);

    let expected = Database {
        host: "db.example.com".to_owned(),
        port: 5433,
        user: "du".to_owned(),
        password: "db-secret".to_owned(),
        name: "pt".to_owned(),
        ssl_mode: SslMode::VerifyFull,
        ca: Some(Authority::Pem(PEM.to_owned())),
        max_connections: 10,
        statement_timeout: Duration::from_secs(30),
    };
    assert_eq!(Database::load(&env).unwrap(), expected);

    let http = Http::load(&env).unwrap();
    assert_eq!((http.public_port, http.metrics_port), (8000, 9000));
    assert_eq!(http.metrics_path, "/numbers");
}

#[test]
fn variables_win_over_clowder() {
    let (file, ca) = (managed(), File::new(PEM));
    let env = env([
        ("ACG_CONFIG", file.path()),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost:1"),
        ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
        ("TOPIC_PAYLOAD_STATUS", "mine"),
        ("DB_HOST", "localhost"),
        ("DB_CA", ca.path()),
        ("DATABASE_URL", "postgres://:url@localhost?sslmode=disable"),
        ("PUBLICPORT", "1234"),
    ]);
    let kafka = Kafka::load(&env).unwrap();
    assert_eq!(
        (kafka.bootstrap_servers.as_str(), kafka.topic.as_str()),
        ("localhost:1", "mine")
    );
    assert_eq!(kafka.sasl, None);
    assert_eq!(kafka.client_properties().len(), 2);
    let database = Database::load(&env).unwrap();
    assert_eq!((database.host.as_str(), database.port), ("localhost", 5433));
    assert_eq!(
        (database.user.as_str(), database.password.as_str()),
        ("du", "url")
    );
    assert_eq!(database.ssl_mode, SslMode::Disable);
    assert_eq!(database.ca, Some(Authority::File(ca.path().into())));
    assert_eq!(Http::load(&env).unwrap().public_port, 1234);
}

#[test]
fn what_clowder_leaves_out_keeps_its_default() {
    let file = File::new(
        r#"{"kafka":{"brokers":[{"hostname":"k","port":1,"authtype":null,"cacert":null}],"topics":[]},"metricsPort":null}"#,
    );
    let env = env([("ACG_CONFIG", file.path())]);
    let kafka = Kafka::load(&env).unwrap();
    assert_eq!(kafka.bootstrap_servers, "k:1");
    assert_eq!(kafka.topic, "platform.payload-status");
    assert_eq!(kafka.security_protocol, SecurityProtocol::Plaintext);
    assert_eq!(Database::load(&env).unwrap().host, "localhost");
    assert_eq!(Http::load(&env).unwrap().metrics_port, 8081);
}

#[test]
fn clowders_older_forms_are_understood() {
    let of_sasl = File::new(
        r#"{"kafka":{"brokers":[{"hostname":"k","authtype":"sasl","sasl":{"username":"u","password":"p","saslMechanism":"PLAIN","securityProtocol":"SASL_PLAINTEXT"}}]}}"#,
    );
    let kafka = Kafka::load(&env([("ACG_CONFIG", of_sasl.path())])).unwrap();
    assert_eq!(kafka.security_protocol, SecurityProtocol::SaslPlaintext);

    let tls_alone = serde_json::json!({"kafka": {"brokers": [{"hostname": "k", "cacert": PEM}]}});
    let tls_alone = File::new(&tls_alone.to_string());
    let kafka = Kafka::load(&env([("ACG_CONFIG", tls_alone.path())])).unwrap();
    assert_eq!(kafka.security_protocol, SecurityProtocol::Ssl);
}

#[test]
fn a_wrong_file_is_named_and_not_repeated() {
    let said = message(try_env([("ACG_CONFIG", "/no/such/file")]).map(|_| ()));
    assert_eq!(
        said,
        r#"ACG_CONFIG names "/no/such/file", which cannot be read; allowed is a readable file"#
    );
    for content in [
        "",
        "{",
        r#"{"database":{"password":["secret"]}}"#,
        r#"{"publicPort":"x"}"#,
    ] {
        let file = File::new(content);
        let said = message(try_env([("ACG_CONFIG", file.path())]).map(|_| ()));
        assert!(
            said.starts_with("ACG_CONFIG names ") && said.contains(" line "),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn a_wrong_value_says_that_it_is_clowders() {
    let file = File::new(r#"{"publicPort":70000,"database":{"rdsCa":"no certificate"}}"#);
    let env = env([("ACG_CONFIG", file.path())]);
    let said = message(Http::load(&env));
    assert!(
        said.starts_with(r#"PUBLICPORT is "70000" (from Clowder); allowed is "#),
        "{said}"
    );
    let said = message(Database::load(&env));
    assert!(
        said.starts_with(r#"DB_CA is "(text)" (from Clowder); allowed is PEM"#),
        "{said}"
    );
}

#[test]
fn the_report_says_what_came_from_where() {
    let file = managed();
    let env = env([
        ("ACG_CONFIG", file.path()),
        ("DATABASE_URL", "postgres://me:url-secret@localhost/pt"),
        ("RETENTION_DAYS", "30"),
    ]);
    Consumer::load(&env).unwrap();
    let report = env.report().replace(file.path(), "<file>");
    assert!(!report.contains("secret"), "{report}");
    insta::assert_snapshot!(report);
}

#[test]
fn the_report_holds_what_steers_the_process() {
    let env = env([]);
    Api::load(&env).unwrap();
    insta::assert_snapshot!(env.report());
}
