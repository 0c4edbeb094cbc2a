use std::time::Duration;

use super::super::{Authority, Database, SslMode};
use super::{File, PEM, env, message};

#[test]
fn defaults_are_the_contracts() {
    let expected = Database {
        host: "localhost".to_owned(),
        port: 5432,
        user: "crc".to_owned(),
        password: "crc".to_owned(),
        name: "crc".to_owned(),
        ssl_mode: SslMode::Prefer,
        ca: None,
        max_connections: 10,
        statement_timeout: Duration::from_secs(30),
    };
    assert_eq!(Database::load(&env([])).unwrap(), expected);
    // Templates hand over empty variables for what is not set.
    let empty = env([
        ("DB_HOST", ""),
        ("DB_PORT", " "),
        ("DATABASE_URL", ""),
        ("DB_CA", ""),
    ]);
    assert_eq!(Database::load(&empty).unwrap(), expected);
}

#[test]
fn variables_win_over_defaults() {
    let ca = File::new(PEM);
    let database = Database::load(&env([
        ("DB_HOST", "db.example.com"),
        ("DB_PORT", "6543"),
        ("DB_USER", "u"),
        ("DB_PASSWORD", " p "),
        ("DB_NAME", "n"),
        ("DB_SSLMODE", "Verify-Full"),
        ("DB_CA", ca.path()),
        ("DB_MAX_CONNECTIONS", "3"),
    ]))
    .unwrap();
    let expected = Database {
        host: "db.example.com".to_owned(),
        port: 6543,
        user: "u".to_owned(),
        password: " p ".to_owned(),
        name: "n".to_owned(),
        ssl_mode: SslMode::VerifyFull,
        ca: Some(Authority::File(ca.path().into())),
        max_connections: 3,
        statement_timeout: Duration::from_secs(30),
    };
    assert_eq!(database, expected);
}

#[test]
fn the_url_wins_part_by_part() {
    let ca = File::new(PEM);
    let url = format!(
        "postgres://u%40x:p%2F%3A%40w@db.example.com:6543/my%20db?sslmode=require&sslrootcert={}",
        ca.path()
    );
    let others = [
        ("DB_HOST", "other"),
        ("DB_PASSWORD", "other"),
        ("DB_SSLMODE", "disable"),
        ("DATABASE_URL", &url),
    ];
    let database = Database::load(&env(others)).unwrap();
    assert_eq!(database.host, "db.example.com");
    assert_eq!(database.port, 6543);
    assert_eq!(database.user, "u@x");
    assert_eq!(database.password, "p/:@w");
    assert_eq!(database.name, "my db");
    assert_eq!(database.ssl_mode, SslMode::Require);
    assert_eq!(database.ca, Some(Authority::File(ca.path().into())));

    let partial = env([
        ("DB_PORT", "7000"),
        ("DB_HOST", "other"),
        ("DATABASE_URL", "postgresql://db.example.com"),
    ]);
    let database = Database::load(&partial).unwrap();
    assert_eq!(
        (database.host.as_str(), database.port),
        ("db.example.com", 7000)
    );
    assert_eq!(
        (database.user.as_str(), database.name.as_str()),
        ("crc", "crc")
    );
}

#[test]
fn the_url_names_hosts_of_every_kind() {
    for (url, host) in [
        ("postgres://u@%2Frun%2Fpostgresql/db", "/run/postgresql"),
        ("postgres:///db?host=/run/postgresql", "/run/postgresql"),
        ("postgres://u@[::1]:5432/db", "::1"),
        ("postgres://u@127.0.0.1/db", "127.0.0.1"),
    ] {
        let database = Database::load(&env([("DATABASE_URL", url)])).unwrap();
        assert_eq!(database.host, host, "{url}");
        assert_eq!(database.name, "db");
    }
}

#[test]
fn a_wrong_value_is_named_with_what_is_allowed() {
    for (name, value, expected) in [
        (
            "DB_PORT",
            "0",
            r#"DB_PORT is "0" (from environment); allowed is a whole number from 1 to 65535"#,
        ),
        (
            "DB_PORT",
            "65536",
            r#"DB_PORT is "65536" (from environment); allowed is a whole number from 1 to 65535"#,
        ),
        (
            "DB_SSLMODE",
            "allow",
            r#"DB_SSLMODE is "allow" (from environment); allowed is disable, prefer, require, verify-ca, verify-full"#,
        ),
        (
            "DB_MAX_CONNECTIONS",
            "many\n",
            r#"DB_MAX_CONNECTIONS is "many\n" (from environment); allowed is a whole number from 1 to 1000"#,
        ),
        (
            "DB_CA",
            "/no/such/file",
            r#"DB_CA names "/no/such/file", which cannot be read; allowed is a readable file"#,
        ),
        (
            "DATABASE_URL",
            "postgres://localhost/db?sslmode=yes",
            r#"DB_SSLMODE is "yes" (from DATABASE_URL); allowed is disable, prefer, require, verify-ca, verify-full"#,
        ),
    ] {
        assert_eq!(message(Database::load(&env([(name, value)]))), expected);
    }
    let no_pem = File::new("no certificate");
    let said = message(Database::load(&env([("DB_CA", no_pem.path())])));
    assert!(
        said.starts_with("DB_CA is ") && said.contains("BEGIN CERTIFICATE"),
        "{said}"
    );
}

#[test]
fn a_wrong_url_is_not_repeated() {
    for (url, fault) in [
        ("u:secret@localhost", "starts with u:"),
        (
            "//u:secret@localhost",
            "is not a URL (relative URL without a base)",
        ),
        ("mysql://u:secret@localhost/db", "starts with mysql:"),
        (
            "postgres://u:secret@localhost:99999/db",
            "is not a URL (invalid port number)",
        ),
        (
            "postgres://localhost/db?password=secret",
            "has an unknown parameter \"password\"",
        ),
        (
            "postgres://u:secret%ff@localhost/db",
            "has a password that is not UTF-8",
        ),
    ] {
        let said = message(Database::load(&env([("DATABASE_URL", url)])));
        assert!(
            said.starts_with(&format!("DATABASE_URL {fault}; allowed is postgres://")),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn the_password_is_never_shown() {
    for variables in [
        [("DB_PASSWORD", "secret"), ("DB_USER", "u")],
        [
            (
                "DATABASE_URL",
                "postgres://u:secret@db.example.com/n?sslmode=disable",
            ),
            ("DB_PASSWORD", "secret"),
        ],
    ] {
        let env = env(variables);
        let database = Database::load(&env).unwrap();
        assert_eq!(database.password, "secret");
        let shown = format!("{database:?}{}", env.report());
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("DB_PASSWORD=***"), "{shown}");
    }
}

#[test]
fn a_replica_is_the_primary_but_for_what_its_url_names() {
    let of = |url: &str| {
        let env = env([
            ("DB_USER", "u"),
            ("DB_PASSWORD", "p"),
            ("DB_SSLMODE", "require"),
            ("DATABASE_READ_URL", url),
        ]);
        Database::load(&env).unwrap().replica(&env)
    };
    assert_eq!(of("").unwrap(), None);
    let replica = of("postgres://reader@replica.example.com:6543")
        .unwrap()
        .unwrap();
    assert_eq!(
        (replica.host.as_str(), replica.port),
        ("replica.example.com", 6543)
    );
    assert_eq!(
        (replica.user.as_str(), replica.password.as_str()),
        ("reader", "p")
    );
    assert_eq!(replica.ssl_mode, SslMode::Require);
    assert_eq!(
        of("postgres://r?sslmode=Disable")
            .unwrap()
            .unwrap()
            .ssl_mode,
        SslMode::Disable
    );
    for (url, fault) in [
        ("mysql://r", "DATABASE_READ_URL starts with mysql:"),
        ("postgres:///crc", "DATABASE_READ_URL names no host"),
        (
            "postgres://r?sslmode=maybe",
            "DATABASE_READ_URL has no such sslmode",
        ),
        ("postgres://r?sslrootcert=/nowhere.pem", "/nowhere.pem"),
    ] {
        let said = of(url).unwrap_err().to_string();
        assert!(said.contains(fault), "{said}");
    }
}
