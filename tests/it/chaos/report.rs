use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::faults::{Fault, Record};
use super::producer::Sent;
use super::progress::{Moments, longest_stall};
use super::traffic::Kind;
use super::verdict::Found;

/// How many problems are told one by one.
const TOLD: usize = 20;

/// The tables of faults and of messages.
pub fn print(records: &[Record], moments: &Moments, sent: &Sent, found: &Found, seed: u64) {
    println!(
        "\n{:<22}{:>6}{:>36}",
        "fault", "times", "longest time a lane did not move"
    );
    for fault in Fault::ALL {
        let stalls: Vec<Duration> = stalls(records, moments, fault).collect();
        let longest = stalls.iter().max().copied().unwrap_or_default();
        let seconds = longest.as_secs_f64();
        println!("{:<22}{:>6}{seconds:>34.1} s", fault.name(), stalls.len());
    }
    println!("\n{:<22}{:>14}{:>10}", "message", "acknowledged", "found");
    for (kind, (acknowledged, found)) in kinds(sent, found, seed) {
        println!("{kind:<22}{acknowledged:>14}{found:>10}");
    }
    if !sent.unanswered.is_empty() {
        println!("{:<22}{:>14}", "not acknowledged", sent.unanswered.len());
    }
    println!();
}

fn stalls(records: &[Record], moments: &Moments, fault: Fault) -> impl Iterator<Item = Duration> {
    let far = Instant::now();
    let stall = move |(at, record): (usize, &Record)| {
        let until = records.get(at + 1).map_or(far, |next| next.begun);
        (record.fault == fault).then(|| longest_stall(moments, record.begun, until))
    };
    records.iter().enumerate().filter_map(stall)
}

/// For what a message must become: how many were acknowledged, and how many are there.
fn kinds(sent: &Sent, found: &Found, seed: u64) -> BTreeMap<&'static str, (usize, usize)> {
    let name = |number: u64| Kind::of(seed, number).reason().unwrap_or("status");
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for number in sent.acknowledged.values() {
        kinds.entry(name(*number)).or_default().0 += 1;
    }
    for number in found.traces.iter().filter_map(|trace| trace.number) {
        kinds.entry(name(number)).or_default().1 += 1;
    }
    kinds
}

/// What is wrong, in a few lines.
pub fn summary(passed: bool, problems: &[String]) -> String {
    let late = if passed {
        ""
    } else {
        "not all was read in time; "
    };
    let told = &problems[..problems.len().min(TOLD)];
    format!("{late}{} problems\n{}\n", problems.len(), told.join("\n"))
}
