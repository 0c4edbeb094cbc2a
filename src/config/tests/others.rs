use std::time::Duration;

use super::super::{Consumer, Fuse, Http, Ingest, Log, Metrics, RateLimit, rules};
use super::{env, message};
use crate::status::{Field, Rules};

#[test]
fn batches_have_the_issues_defaults_and_bounds() {
    let ingest = Ingest::load(&env([])).unwrap();
    let expected = Ingest {
        batch_max_messages: 15_000,
        batch_max_bytes: 8 * 1024 * 1024,
        batch_max_wait: Duration::from_millis(200),
        max_names: 10_000,
    };
    assert_eq!(ingest, expected);
    let set = env([
        ("BATCH_MAX_MESSAGES", "1"),
        ("BATCH_MAX_BYTES", "1024"),
        ("BATCH_MAX_WAIT_MS", "60000"),
    ]);
    assert_eq!(
        Ingest::load(&set).unwrap().batch_max_wait,
        Duration::from_secs(60)
    );
    for (name, value, range) in [
        ("BATCH_MAX_MESSAGES", "0", "1 to 100000"),
        ("BATCH_MAX_MESSAGES", "100001", "1 to 100000"),
        ("BATCH_MAX_BYTES", "1023", "1024 to 67108864"),
        ("BATCH_MAX_BYTES", "8MiB", "1024 to 67108864"),
        ("BATCH_MAX_WAIT_MS", "60001", "1 to 60000"),
        ("MAX_NAMES", "0", "1 to 1000000"),
        ("MAX_NAMES", "many", "1 to 1000000"),
    ] {
        let said = message(Ingest::load(&env([(name, value)])));
        assert_eq!(
            said,
            format!(
                "{name} is {value:?} (from environment); allowed is a whole number from {range}"
            )
        );
    }
}

#[test]
fn a_fuse_judges_a_thousand_messages_unless_told_otherwise() {
    let expected = Fuse {
        window: 1_000,
        max_rejected_percent: 50,
        cooldown: Duration::from_secs(600),
    };
    assert_eq!(Fuse::load(&env([])).unwrap(), expected);
    for (name, value, range) in [
        ("FUSE_WINDOW", "9", "10 to 100000"),
        ("FUSE_MAX_REJECTED_PERCENT", "0", "1 to 100"),
        ("FUSE_MAX_REJECTED_PERCENT", "101", "1 to 100"),
        ("FUSE_COOLDOWN_SECONDS", "10m", "1 to 86400"),
    ] {
        let said = message(Fuse::load(&env([(name, value)])));
        assert_eq!(
            said,
            format!(
                "{name} is {value:?} (from environment); allowed is a whole number from {range}"
            )
        );
    }
}

#[test]
fn rules_have_the_contracts_defaults_and_bounds() {
    assert_eq!(rules(&env([])).unwrap(), Rules::default());
    let set = env([
        ("REQUIRED_FIELDS", "service, request_id,STATUS,date"),
        ("VALIDATE_REQUEST_ID_LENGTH", "0"),
        ("RETENTION_DAYS", "100000"),
    ]);
    let expected = Rules {
        required: vec![Field::Service, Field::RequestId, Field::Status, Field::Date],
        request_id_length: 0,
        retention_days: 100_000,
    };
    assert_eq!(rules(&set).unwrap(), expected);
    for (name, value) in [
        ("VALIDATE_REQUEST_ID_LENGTH", "256"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "-1"),
    ] {
        let said = message(rules(&env([(name, value)])));
        assert!(
            said.starts_with(&format!(
                "{name} is {value:?} (from environment); allowed is a whole number from "
            )),
            "{said}"
        );
    }
}

#[test]
fn required_fields_are_fields_and_hold_the_indispensable_ones() {
    for value in [
        "org_id,service,request_id,status",
        "org_id",
        "service,request_id,status,date,payload_id",
        "service,request_id,status,date,",
    ] {
        let said = message(rules(&env([("REQUIRED_FIELDS", value)])));
        assert_eq!(
            said,
            format!(
                "REQUIRED_FIELDS is {value:?} (from environment); allowed is a list with commas of service,request_id,status,date,org_id,source,account,inventory_id,system_id,status_msg; of these service, request_id, status and date cannot be left out"
            )
        );
    }
}

#[test]
fn ports_and_paths_have_the_contracts_defaults_and_bounds() {
    let expected = Http {
        public_port: 8080,
        metrics_port: 8081,
        metrics_path: "/metrics".to_owned(),
        cors_allowed_origins: vec![],
        rate_limit: RateLimit {
            per_minute: 3_000,
            trusted_proxies: vec![],
        },
    };
    assert_eq!(Http::load(&env([])).unwrap(), expected);
    for (name, value) in [
        ("PUBLICPORT", "0"),
        ("PUBLICPORT", "8081"),
        ("METRICSPORT", "8080.0"),
        ("METRICSPATH", "metrics"),
        ("METRICSPATH", "/ready"),
        ("METRICSPATH", "/{metrics}"),
    ] {
        let said = message(Http::load(&env([(name, value)])));
        let (name, value) = if value == "8080.0" {
            ("METRICSPORT", value)
        } else {
            (name, value)
        };
        assert!(
            said.starts_with(&format!(
                "{name} is {value:?} (from environment); allowed is "
            )),
            "{said}"
        );
    }
    // The consumer has no public port to keep clear of.
    assert_eq!(
        Metrics::load(&env([("METRICSPORT", "8080")])).unwrap().port,
        8080
    );
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let origins = |list| {
        Http::load(&env([("CORS_ALLOWED_ORIGINS", list)])).map(|http| http.cors_allowed_origins)
    };
    assert_eq!(
        origins("https://Console.example.com, http://localhost:1337/ ,").unwrap(),
        ["https://console.example.com", "http://localhost:1337"]
    );
    for list in [
        "*",
        "console.example.com",
        "https://example.com/path",
        "https://u:p@example.com",
        "file:///x",
    ] {
        assert!(
            message(origins(list)).starts_with("CORS_ALLOWED_ORIGINS is "),
            "{list}"
        );
    }
}

#[test]
fn levels_are_tracings() {
    for (variables, level) in [
        ([("LOGLEVEL", ""), ("LOG_LEVEL", "")], "info"),
        ([("LOGLEVEL", "DEBUG"), ("LOG_LEVEL", "error")], "DEBUG"),
        (
            [("LOGLEVEL", ""), ("LOG_LEVEL", "info,sqlx=Warn")],
            "info,sqlx=Warn",
        ),
    ] {
        assert_eq!(Log::load(&env(variables)).unwrap().level, level);
    }
    for name in ["LOGLEVEL", "LOG_LEVEL"] {
        for level in [
            "loud",
            "warning",
            "info,",
            "sqlx=loud",
            "sqlx",
            "=info=",
            "info,sqlx[=",
        ] {
            let said = message(Log::load(&env([(name, level)])));
            assert!(said.starts_with(&format!("{name} is {level:?} ")), "{said}");
        }
    }
}

#[test]
fn messages_are_logged_only_when_asked_for() {
    let load = |variables| Consumer::load(&env(variables)).map(|consumer| consumer.log_messages);
    assert!(!load([("DEBUG_LOG_STATUS_JSON", "")]).unwrap());
    assert!(load([("DEBUG_LOG_STATUS_JSON", "True")]).unwrap());
    assert_eq!(
        message(load([("DEBUG_LOG_STATUS_JSON", "yes")])),
        r#"DEBUG_LOG_STATUS_JSON is "yes" (from environment); allowed is true, false, 1, 0"#
    );
}
