use std::time::Duration;

use super::super::{Archive, Kibana, RateLimit, Requestor};
use super::{File, env, message};

fn broker(url: &str, millis: u64) -> Requestor {
    Requestor::StorageBroker {
        url: url.parse().unwrap(),
        timeout: Duration::from_millis(millis),
    }
}

#[test]
fn archives_are_the_go_trackers_unless_told_otherwise() {
    let expected = Archive {
        requestor: broker("http://storage-broker-processor:8000/archive/url", 35_000),
        role: "platform-archive-download".to_owned(),
    };
    assert_eq!(Archive::load(&env([])).unwrap(), expected);
    let set = env([
        ("REQUESTOR_IMPL", "storage-broker"),
        (
            "STORAGEBROKERURL",
            "https://broker.example.com/archive/url/",
        ),
        ("STORAGEBROKERREQUESTTIMEOUT", "500"),
        ("STORAGEBROKERURLROLE", "other"),
    ]);
    let expected = Archive {
        requestor: broker("https://broker.example.com/archive/url/", 500),
        role: "other".to_owned(),
    };
    assert_eq!(Archive::load(&set).unwrap(), expected);
    let mock = Archive::load(&env([("REQUESTOR_IMPL", "mock")])).unwrap();
    assert_eq!(mock.requestor, Requestor::Mock);
}

#[test]
fn a_wrong_archive_setting_says_what_is_allowed() {
    for (name, value, allowed) in [
        ("REQUESTOR_IMPL", "s3", "storage-broker, mock"),
        (
            "STORAGEBROKERREQUESTTIMEOUT",
            "35s",
            "a whole number from 1 to 600000",
        ),
        (
            "STORAGEBROKERREQUESTTIMEOUT",
            "0",
            "a whole number from 1 to 600000",
        ),
    ] {
        let said = message(Archive::load(&env([(name, value)])));
        assert_eq!(
            said,
            format!("{name} is {value:?} (from environment); allowed is {allowed}")
        );
    }
    for url in [
        "broker:8000",
        "ftp://broker/",
        "http://broker/?request_id=",
        "http://broker/#a",
    ] {
        let said = message(Archive::load(&env([("STORAGEBROKERURL", url)])));
        assert!(
            said.starts_with("STORAGEBROKERURL is ") && said.contains("no query"),
            "{said}"
        );
    }
}

#[test]
fn clowder_knows_where_storage_broker_is() {
    let file = File::new(
        r#"{"endpoints":[
            {"app":"ingress","name":"processor","hostname":"i.svc","port":1},
            {"app":"storage-broker","name":"other","hostname":"o.svc","port":2},
            {"app":"storage-broker","name":"processor","hostname":"b.svc","port":8123}]}"#,
    );
    let clowder = env([("ACG_CONFIG", file.path())]);
    let of = |env| Archive::load(env).unwrap().requestor;
    assert_eq!(
        of(&clowder),
        broker("http://b.svc:8123/archive/url", 35_000)
    );
    let both = env([
        ("ACG_CONFIG", file.path()),
        ("STORAGEBROKERURL", "http://mine/"),
    ]);
    assert_eq!(of(&both), broker("http://mine/", 35_000));
}

#[test]
fn kibana_is_the_go_trackers_unless_told_otherwise() {
    let kibana = Kibana::load(&env([])).unwrap();
    assert!(
        kibana.url.starts_with("https://kibana.") && kibana.url.ends_with("/app/kibana#/discover")
    );
    assert_eq!(kibana.index, "43c5fed0-d5ce-11ea-b58c-a7c95afd7a5d");
    assert_eq!(kibana.service_field, "app");
    let url = "https://logs.example.com/s/a/app/discover#/?x=y";
    let set = env([
        ("KIBANA_URL", url),
        ("KIBANA_INDEX", "i"),
        ("KIBANA_SERVICE_FIELD", "@k8s.app"),
    ]);
    let kibana = Kibana::load(&set).unwrap();
    assert_eq!((kibana.url.as_str(), kibana.index.as_str()), (url, "i"));
    assert_eq!(kibana.service_field, "@k8s.app");
    for (name, value) in [
        ("KIBANA_URL", "kibana.example.com"),
        ("KIBANA_URL", "javascript:alert(1)"),
        ("KIBANA_SERVICE_FIELD", "app:x OR y"),
    ] {
        let said = message(Kibana::load(&env([(name, value)])));
        assert!(said.starts_with(&format!("{name} is {value:?} ")), "{said}");
    }
}

#[test]
fn a_rate_limit_and_its_proxies_have_bounds() {
    let set = env([
        ("MAX_REQUESTS_PER_MINUTE", "0"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8,192.0.2.1 ,"),
    ]);
    let limit = RateLimit::load(&set).unwrap();
    assert_eq!(limit.per_minute, 0);
    let proxies: Vec<String> = limit
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
    for (name, value) in [
        ("MAX_REQUESTS_PER_MINUTE", "-1"),
        ("MAX_REQUESTS_PER_MINUTE", "1000001"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("TRUSTED_PROXIES", "10.0.0.0/8;10.1.0.0/16"),
    ] {
        let said = message(RateLimit::load(&env([(name, value)])));
        assert!(said.starts_with(&format!("{name} is {value:?} ")), "{said}");
    }
}
