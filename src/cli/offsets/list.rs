//! `pt offsets list`.

use std::collections::BTreeSet;

use super::Place;
use crate::cli::{Failure, stdout};
use crate::ingest::start::{Fit, LogState, fit};
use crate::store::batch::Lane;
use crate::store::offsets::{self, Counters};

const HEADINGS: [&str; 10] = [
    "PARTITION",
    "NEXT",
    "STORED",
    "REJECTED",
    "SKIPPED",
    "GAP",
    "GROUP",
    "LOG START",
    "LOG END",
    "LAG",
];

pub(super) async fn run(place: &Place) -> Result<(), Failure> {
    let logs = place.logs().await?;
    let stored = offsets::counters(&place.pool, &place.topic).await?;
    let lanes: BTreeSet<Lane> = logs.keys().chain(stored.keys()).copied().collect();
    let rows: Vec<(Vec<String>, String)> = lanes
        .into_iter()
        .map(|lane| {
            let (counters, log) = (stored.get(&lane), logs.get(&lane));
            (cells(lane, counters, log), state(counters, log))
        })
        .collect();
    Ok(stdout::print(&table(&rows))?)
}

fn cells(lane: Lane, counters: Option<&Counters>, log: Option<&LogState>) -> Vec<String> {
    let of_row = |value: fn(&Counters) -> i64| counters.map(value);
    let numbers = [
        of_row(|row| row.next),
        of_row(|row| row.stored),
        of_row(|row| row.rejected),
        of_row(|row| row.skipped),
        of_row(|row| row.gap),
        log.and_then(|log| log.committed),
        log.map(|log| log.low),
        log.map(|log| log.high),
        counters.zip(log).map(|(row, log)| lag(row.next, log)),
    ];
    let shown = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let cells = numbers.into_iter().map(shown);
    std::iter::once(lane.to_string()).chain(cells).collect()
}

/// Offsets that the log holds and that are not passed. Of one made anew that is all of it.
fn lag(next: i64, log: &LogState) -> i64 {
    match fit(next, Some(next), log) {
        Fit::Holds => log.high - next,
        Fit::Gap { .. } | Fit::Anew { .. } | Fit::Moved => log.high - log.low,
    }
}

/// What a consumer would make of it.
fn state(counters: Option<&Counters>, log: Option<&LogState>) -> String {
    match (counters, log) {
        (None, _) => "nothing is stored yet".to_owned(),
        (_, None) => "the topic has no such partition".to_owned(),
        (Some(row), Some(log)) => match fit(row.next, Some(row.next), log) {
            Fit::Holds | Fit::Moved => "fits".to_owned(),
            Fit::Gap { missing, .. } => format!("{missing} are gone from the log"),
            Fit::Anew { .. } => "lies beyond the log: the topic was made anew".to_owned(),
        },
    }
}

fn table(rows: &[(Vec<String>, String)]) -> String {
    let headings: Vec<String> = HEADINGS.map(str::to_owned).into();
    let all = std::iter::once(&headings).chain(rows.iter().map(|(cells, _)| cells));
    let mut widths = [0; HEADINGS.len()];
    for cells in all {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
    }
    let line = |cells: &[String], last: &str| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:>width$}"));
        padded
            .chain([last.to_owned()])
            .collect::<Vec<_>>()
            .join("  ")
    };
    let lines = rows.iter().map(|(cells, state)| line(cells, state));
    std::iter::once(line(&headings, "STATE"))
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}
