use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::stream::Script;
use super::*;

fn parsed(report: &Report) -> Value {
    serde_json::from_slice(&report.value).unwrap()
}

fn text<'a>(message: &'a Value, field: &str) -> &'a str {
    message[field].as_str().unwrap_or_default()
}

/// An hour of the stream, without waiting for it.
fn an_hour() -> (Vec<Report>, usize) {
    let mut rng = StdRng::seed_from_u64(SEED);
    let fleet = Fleet::new(&mut rng);
    let start: chrono::DateTime<Utc> = "2027-03-01T12:00:00Z".parse().unwrap();
    let mut script = Script::new(fleet, rng, start);
    let mut sent = Vec::new();
    let mut most_at_once = 0;
    while script.next() < start + TimeDelta::hours(1) {
        let reports = script.due(script.next());
        most_at_once = most_at_once.max(script.waiting());
        sent.extend(reports);
    }
    (sent, most_at_once)
}

#[test]
fn an_hour_holds_a_few_messages_a_second_and_every_fate() {
    let (sent, waiting) = an_hour();
    assert!((7_000..20_000).contains(&sent.len()), "{}", sent.len());
    assert!(waiting < 300, "{waiting} messages wait at once");

    let messages: Vec<Value> = sent.iter().map(parsed).collect();
    let distinct = |field| -> BTreeSet<&str> {
        let values = messages.iter().map(|message| text(message, field));
        values.filter(|value| !value.is_empty()).collect()
    };
    for status in [
        "success",
        "processing_success",
        "error",
        "failed",
        "processing_error",
    ] {
        assert!(distinct("status").contains(status), "no {status}");
    }
    assert_eq!(distinct("service").len(), 9);
    assert!(distinct("org_id").len() > 2);

    let mut last_status: BTreeMap<&str, &str> = BTreeMap::new();
    for message in &messages {
        last_status.insert(text(message, "request_id"), text(message, "status"));
    }
    let hosts = distinct("inventory_id").len();
    assert!(hosts * 10 < last_status.len(), "hosts upload again");
    assert!(
        last_status
            .values()
            .any(|status| *status == "processing" || *status == "received")
    );
    assert!(
        last_status.keys().any(|id| id.contains(':')),
        "no upload of several hosts"
    );
}

#[test]
fn messages_overtake_each_other_but_never_precede_their_dates() {
    let (sent, _) = an_hour();
    let overtakings = sent.windows(2).filter(|two| two[1].date < two[0].date);
    assert!(overtakings.count() > 100);
}

#[test]
fn the_opening_ends_as_it_says() {
    let mut rng = StdRng::seed_from_u64(SEED);
    let fleet = Fleet::new(&mut rng);
    let mut statuses = |journey| -> Vec<(String, String)> {
        let organisation = fleet.any(&mut rng);
        let upload = Upload::new(organisation, journey, &mut rng);
        let messages = upload.reports(Utc::now(), &mut rng);
        let messages = messages.iter().map(parsed);
        messages
            .map(|m| {
                (
                    text(&m, "service").to_owned(),
                    text(&m, "status").to_owned(),
                )
            })
            .collect()
    };
    let last_of = |statuses: &[(String, String)]| statuses.last().unwrap().clone();

    let archive = statuses(Journey::Archive);
    assert_eq!(
        last_of(&archive),
        ("vulnerability".into(), "success".into())
    );
    let failed = statuses(Journey::Fails(Failing::Inventory));
    assert_eq!(
        last_of(&failed),
        ("inventory-mq-service".into(), "error".into())
    );
    let stuck = statuses(Journey::Stuck);
    assert_eq!(
        last_of(&stuck),
        ("inventory-mq-service".into(), "received".into())
    );
    for failing in Failing::ALL {
        let statuses = statuses(Journey::Fails(failing));
        let failures = ["error", "failed", "processing_error"];
        assert!(
            statuses.iter().any(|(_, s)| failures.contains(&s.as_str())),
            "{failing:?}"
        );
    }
}
