//! Sessions with a PostgreSQL server that offers TLS, or does not.

use sea_orm::sqlx::query_scalar;
use serde_json::json;
use tokio::sync::OnceCell;

use super::certificates::{Certificate, File};
use crate::cli::tool::pt;
use crate::ingest::lab::{Lab, SOON, is_not_ready, is_ready};
use crate::support::{self, OwnServer, Process, TestDatabase, eventually};

/// The one name in the server's certificate.
const HOST: &str = "localhost";

/// The tests' one server with TLS. It ends with the process.
static SECURE: OnceCell<Secure> = OnceCell::const_new();

struct Secure {
    server: OwnServer,
    authority: Certificate,
}

async fn secure() -> &'static Secure {
    SECURE
        .get_or_init(|| async {
            let authority = Certificate::authority();
            let certificate = Certificate::of_server(&authority, HOST);
            let mut server = support::own_server().await;
            server
                .restart_with_tls(&certificate.pem(), &certificate.key_pem())
                .await;
            Secure { server, authority }
        })
        .await
}

/// What each session of `application` is: encrypted or not. Waits for the first one.
async fn encrypted(database: &TestDatabase, application: &str) -> Vec<bool> {
    eventually("a session", SOON, || async {
        let sessions: Vec<bool> = query_scalar(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
              WHERE application_name = $1 AND datname = current_database()",
        )
        .bind(application)
        .fetch_all(&database.pool)
        .await
        .unwrap();
        (!sessions.is_empty()).then_some(sessions)
    })
    .await
}

async fn exits_with_1(mut process: Process) -> String {
    let status = process.exited(SOON).await;
    assert_eq!(status.code(), Some(1));
    process.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_is_encrypted_but_disable() {
    let secure = secure().await;
    let lab = Lab::on(&secure.server, 1).await;
    let ca = File::new(&secure.authority.pem());
    for (mode, ca, expected) in [
        ("disable", None, false),
        ("prefer", None, true),
        ("require", None, true),
        ("verify-ca", Some(&ca), true),
        ("verify-full", Some(&ca), true),
    ] {
        let mut settings = vec![("DB_HOST", HOST), ("DB_SSLMODE", mode)];
        settings.extend(ca.map(|file| ("DB_CA", file.path())));
        let mut consumer = lab.ready_consumer(&settings).await;
        let found = encrypted(&lab.database, "pt-consumer").await;
        assert!(
            found.iter().all(|ssl| *ssl == expected),
            "{mode}: {found:?}"
        );
        assert!(consumer.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clowder_s_authority_verifies_the_server_to_both_binaries() {
    let secure = secure().await;
    let lab = Lab::on(&secure.server, 1).await;
    let database = lab.database.config();
    let file = File::new(
        &json!({"database": {
            "hostname": HOST, "port": database.port, "name": database.name,
            "username": database.user, "password": database.password,
            "sslMode": "verify-full", "rdsCa": secure.authority.pem(),
        }})
        .to_string(),
    );
    let clowder = ("ACG_CONFIG".to_owned(), file.path().to_owned());
    for name in ["pt-consumer", "pt-api"] {
        let process = Process::spawn(name, lab.kafka.env().into_iter().chain([clowder.clone()]));
        is_ready(&process).await;
        let found = encrypted(&lab.database, name).await;
        assert!(found.iter().all(|ssl| *ssl), "{name}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_who_it_should_be_ends_the_start() {
    let secure = secure().await;
    let lab = Lab::on(&secure.server, 1).await;
    let ours = File::new(&secure.authority.pem());
    let other = File::new(&Certificate::authority().pem());
    for (mode, host, ca, because) in [
        ("verify-full", HOST, &other, "issuer"),
        ("verify-ca", HOST, &other, "issuer"),
        ("verify-full", "127.0.0.1", &ours, "mismatch"),
    ] {
        let settings = [
            ("DB_HOST", host),
            ("DB_SSLMODE", mode),
            ("DB_CA", ca.path()),
        ];
        let log = exits_with_1(lab.consumer(&settings)).await;
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
        let [line] = errors[..] else {
            panic!("not one line: {log}");
        };
        for word in ["TLS", "certificate", because, "DB_CA"] {
            assert!(line.contains(word), "{mode}, {host}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_and_the_tool_say_why_they_do_not_trust_the_server() {
    let secure = secure().await;
    let lab = Lab::on(&secure.server, 1).await;
    let other = File::new(&Certificate::authority().pem());
    let mut envs = lab.database.env();
    for (name, value) in [
        ("DB_HOST", HOST),
        ("DB_SSLMODE", "verify-full"),
        ("DB_CA", other.path()),
    ] {
        envs.push((name.to_owned(), value.to_owned()));
    }
    let api = Process::spawn("pt-api", envs.clone());
    is_not_ready(&api, "certificate verify failed").await;

    let said = pt(&["migrate", "status"], envs).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("certificate verify failed"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_ends_the_start_where_tls_is_required() {
    let lab = Lab::with_partitions(1).await;
    let log = exits_with_1(lab.consumer(&[("DB_SSLMODE", "require")])).await;
    assert!(log.contains("server does not support TLS"), "{log}");
    assert!(log.contains("DB_SSLMODE"), "{log}");
}

/// As Amazon's, where the authority of the server's region comes somewhere in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn each_authority_of_a_bundle_counts() {
    let secure = secure().await;
    let lab = Lab::on(&secure.server, 1).await;
    let [first, last] = [(); 2].map(|()| Certificate::authority().pem());
    let bundle = File::new(&[first.clone(), secure.authority.pem(), last.clone()].concat());
    let strange = File::new(&[first, last].concat());
    let settings = |ca: &File| {
        let mut envs = lab.database.env();
        envs.extend(lab.kafka.env());
        for (name, value) in [
            ("DB_HOST", HOST),
            ("DB_SSLMODE", "verify-full"),
            ("DB_CA", ca.path()),
        ] {
            envs.push((name.to_owned(), value.to_owned()));
        }
        envs
    };
    for name in ["pt-consumer", "pt-api"] {
        is_ready(&Process::spawn(name, settings(&bundle))).await;
    }
    let said = pt(&["migrate", "status"], settings(&bundle)).await;
    assert_eq!(said.code, 0, "{said:?}");
    let log = exits_with_1(Process::spawn("pt-consumer", settings(&strange))).await;
    assert!(log.contains("certificate verify failed"), "{log}");
}
