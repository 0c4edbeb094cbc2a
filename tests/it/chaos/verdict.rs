//! Each message that Kafka acknowledged is there once, as what it must be; and the counters say the same.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sqlx::{self, PgPool};

use super::producer::{Place, Sent};
use super::traffic::{self, Kind};

/// What the database has of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub place: Place,
    /// By its content.
    pub number: Option<u64>,
    /// None if it is a status.
    pub reason: Option<String>,
}

/// A row of `consumer_offsets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub first: i64,
    pub next: i64,
    pub stored: i64,
    pub rejected: i64,
    pub skipped: i64,
}

/// What the database holds in the end.
#[derive(Default)]
pub struct Found {
    pub traces: Vec<Trace>,
    pub counters: BTreeMap<i32, Counters>,
    /// Rows of `payloads`.
    pub payloads: i64,
    /// Partitions of which half a batch was written by a session of its own.
    pub divided: i64,
}

type StatusRow = (i32, i64, Option<String>, String);
type RejectRow = (i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, String);

pub async fn read(pool: &PgPool) -> Found {
    let statuses: Vec<StatusRow> = sqlx::query_as(
        "SELECT origin_partition, origin_offset, status_msg, request_id
           FROM payload_statuses JOIN payloads ON payloads.id = payload_id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let rejects: Vec<RejectRow> =
        sqlx::query_as("SELECT partition, \"offset\", key, value, reason FROM rejects")
            .fetch_all(pool)
            .await
            .unwrap();
    let counters: Vec<(i32, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT partition, first_offset, next_offset, stored, rejected, skipped
           FROM consumer_offsets",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let divided = sqlx::query_scalar("SELECT count(*) FROM odd_offsets WHERE next_offset > 0")
        .fetch_one(pool)
        .await
        .unwrap();
    let payloads = sqlx::query_scalar("SELECT count(*) FROM payloads")
        .fetch_one(pool)
        .await
        .unwrap();
    let traces = statuses.into_iter().map(status);
    Found {
        traces: traces.chain(rejects.into_iter().map(reject)).collect(),
        counters: counters
            .into_iter()
            .map(|(partition, first, next, stored, rejected, skipped)| {
                let counters = Counters {
                    first,
                    next,
                    stored,
                    rejected,
                    skipped,
                };
                (partition, counters)
            })
            .collect(),
        payloads,
        divided,
    }
}

/// A row that hangs on another payload than its own has no number.
fn status((partition, offset, text, request_id): StatusRow) -> Trace {
    let number = traffic::number_in(text.unwrap_or_default().as_bytes());
    Trace {
        place: (partition, offset),
        number: number.filter(|number| traffic::request_id(*number) == request_id),
        reason: None,
    }
}

fn reject((partition, offset, key, value, reason): RejectRow) -> Trace {
    Trace {
        place: (partition, offset),
        number: traffic::number_in(&value.or(key).unwrap_or_default()),
        reason: Some(reason),
    }
}

/// Everything that is not as it must be, a line each.
pub fn judge(seed: u64, sent: &Sent, found: &Found, ends: &BTreeMap<i32, i64>) -> Vec<String> {
    let mut problems = Vec::new();
    judge_messages(seed, sent, found, &mut problems);
    judge_counters(found, ends, &mut problems);
    judge_payloads(found, &mut problems);
    if found.divided == 0 {
        problems.push("no batch was written by two sessions".to_owned());
    }
    problems
}

fn judge_messages(seed: u64, sent: &Sent, found: &Found, problems: &mut Vec<String>) {
    let mut places = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for trace in &found.traces {
        let Trace { place, number, .. } = trace;
        if !places.insert(*place) {
            problems.push(format!("{place:?} is there twice"));
        }
        let Some(number) = number else {
            problems.push(format!("{place:?} holds what was never sent"));
            continue;
        };
        if !numbers.insert(*number) {
            problems.push(format!(
                "message {number} is there twice, again at {place:?}"
            ));
        }
        match sent.acknowledged.get(place) {
            Some(there) if there == number => {}
            None if sent.unanswered.contains(number) => {}
            other => problems.push(format!("{place:?} holds message {number}, not {other:?}")),
        }
        let wanted = Kind::of(seed, *number).reason();
        if trace.reason.as_deref() != wanted {
            let got = &trace.reason;
            problems.push(format!("message {number} ended as {got:?}, not {wanted:?}"));
        }
    }
    for (place, number) in &sent.acknowledged {
        if !places.contains(place) || !numbers.contains(number) {
            problems.push(format!("message {number} at {place:?} is lost"));
        }
    }
}

fn judge_counters(found: &Found, ends: &BTreeMap<i32, i64>, problems: &mut Vec<String>) {
    let mut rows: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for trace in &found.traces {
        let (stored, rejected) = rows.entry(trace.place.0).or_default();
        match trace.reason {
            None => *stored += 1,
            Some(_) => *rejected += 1,
        }
    }
    for (partition, end) in ends {
        let (stored, rejected) = rows.get(partition).copied().unwrap_or_default();
        let wanted = Counters {
            first: 0,
            next: *end,
            stored,
            rejected,
            skipped: 0,
        };
        let counters = found.counters.get(partition);
        if counters != Some(&wanted) {
            problems.push(format!(
                "partition {partition}: {counters:?}, not {wanted:?}"
            ));
        }
    }
}

fn judge_payloads(found: &Found, problems: &mut Vec<String>) {
    let statuses = found.traces.iter().filter(|trace| trace.reason.is_none());
    let wanted: BTreeSet<u64> = statuses
        .filter_map(|trace| trace.number)
        .map(|number| number / 5)
        .collect();
    if found.payloads != wanted.len() as i64 {
        let payloads = found.payloads;
        problems.push(format!("{payloads} payloads, not {}", wanted.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten messages of partition 0, all good, all stored.
    fn all_well() -> (Sent, Found, BTreeMap<i32, i64>) {
        let numbers: Vec<u64> = (0..)
            .filter(|n| Kind::of(1, *n) == Kind::Good)
            .take(10)
            .collect();
        let places = (0..).map(|offset| (0, offset)).zip(numbers);
        let sent = Sent {
            acknowledged: places.collect(),
            unanswered: vec![],
        };
        let trace = |(place, number): (&Place, &u64)| Trace {
            place: *place,
            number: Some(*number),
            reason: None,
        };
        let counters = Counters {
            first: 0,
            next: 10,
            stored: 10,
            rejected: 0,
            skipped: 0,
        };
        let payloads: BTreeSet<u64> = sent.acknowledged.values().map(|n| n / 5).collect();
        let found = Found {
            traces: sent.acknowledged.iter().map(trace).collect(),
            counters: [(0, counters)].into(),
            payloads: payloads.len() as i64,
            divided: 1,
        };
        (sent, found, [(0, 10)].into())
    }

    fn verdict(change: impl FnOnce(&mut Sent, &mut Found)) -> String {
        let (mut sent, mut found, ends) = all_well();
        change(&mut sent, &mut found);
        judge(1, &sent, &found, &ends).join("\n")
    }

    #[test]
    fn what_is_as_it_must_be_is_no_problem() {
        assert_eq!(verdict(|_, _| ()), "");
    }

    #[test]
    fn whatever_is_not_as_it_must_be_is_noticed() {
        let lost = verdict(|_, found| {
            found.traces.pop();
        });
        assert!(
            lost.contains("is lost") && lost.contains("partition 0"),
            "{lost}"
        );
        let twice = verdict(|_, found| found.traces.push(found.traces[0].clone()));
        assert!(twice.contains("(0, 0) is there twice"), "{twice}");
        let elsewhere = verdict(|_, found| {
            let again = Trace {
                place: (0, 10),
                ..found.traces[0].clone()
            };
            found.traces.push(again);
        });
        assert!(
            elsewhere.contains("is there twice, again at (0, 10)"),
            "{elsewhere}"
        );
        let confused = verdict(|_, found| found.traces[0].number = found.traces[1].number);
        assert!(confused.contains("(0, 0) holds message"), "{confused}");
        let rejected = verdict(|_, found| found.traces[0].reason = Some("malformed".into()));
        assert!(
            rejected.contains("ended as Some(\"malformed\"), not None"),
            "{rejected}"
        );
        let behind = verdict(|_, found| found.counters.get_mut(&0).unwrap().next = 9);
        assert!(behind.starts_with("partition 0"), "{behind}");
        let payloads = verdict(|_, found| found.payloads += 1);
        assert!(
            payloads.ends_with("payloads, not 2") || payloads.contains("payloads, not"),
            "{payloads}"
        );
    }

    #[test]
    fn what_kafka_did_not_answer_for_may_be_there_once() {
        let there = verdict(|sent, _| {
            let (_, number) = sent.acknowledged.pop_last().unwrap();
            sent.unanswered.push(number);
        });
        assert_eq!(there, "");
    }
}
