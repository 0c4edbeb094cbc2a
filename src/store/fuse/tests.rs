use std::time::Duration;

use super::*;
use crate::store::batch::samples::{rejected, stored};

const LIMITS: Fuse = Fuse {
    window: 10,
    max_rejected_percent: 50,
    cooldown: Duration::from_secs(600),
};

/// One part from `start`, of `+` for a status and `-` for a reject.
fn batch(start: i64, outcomes: &str) -> Batch {
    let mut part = Part::at(start);
    for (offset, outcome) in (start..).zip(outcomes.chars()) {
        match outcome {
            '+' => part.stored.push(stored(offset)),
            _ => part.rejected.push(rejected(offset)),
        }
        part.end = offset + 1;
    }
    Batch {
        parts: [(7, part)].into(),
    }
}

/// Judges and commits; the offset after the last message that was let through, and why it stops.
fn commit(fuses: &mut Fuses, mut batch: Batch) -> (i64, Option<Blow>) {
    let judgement = fuses.judge(&mut batch);
    let blow = judgement.blown.get(&7).cloned();
    fuses.settle(judgement, [7].iter());
    (batch.parts[&7].end, blow)
}

#[test]
fn half_of_the_window_is_not_more_than_half() {
    let mut fuses = Fuses::new(LIMITS);
    assert_eq!(commit(&mut fuses, batch(0, "+-+-+-+-+-")), (10, None));
    let (end, blow) = commit(&mut fuses, batch(10, "+-+--++++"));
    assert_eq!(end, 15, "what comes after is read again later");
    let blow = blow.unwrap();
    assert_eq!((blow.seen, blow.rejected), (10, 6));
    assert_eq!(
        blow.detail,
        "6 of the last 10 messages were rejected, most often as missing_field of puptoo"
    );
}

#[test]
fn a_window_that_is_not_full_is_not_judged() {
    let mut fuses = Fuses::new(LIMITS);
    assert_eq!(commit(&mut fuses, batch(0, "---------")), (9, None));
    assert_eq!(commit(&mut fuses, batch(9, "-")).0, 10);
}

#[test]
fn a_fuse_that_blew_begins_with_an_empty_window() {
    let mut fuses = Fuses::new(LIMITS);
    assert!(commit(&mut fuses, batch(0, "----------")).1.is_some());
    assert_eq!(commit(&mut fuses, batch(10, "---------")), (19, None));
    assert!(commit(&mut fuses, batch(19, "-")).1.is_some());
}

#[test]
fn a_lane_that_was_elsewhere_begins_with_an_empty_window() {
    let mut fuses = Fuses::new(LIMITS);
    assert_eq!(commit(&mut fuses, batch(0, "---------")), (9, None));
    assert_eq!(commit(&mut fuses, batch(20, "-")), (21, None));
}

#[test]
fn a_batch_that_was_not_committed_changes_no_window() {
    let mut fuses = Fuses::new(LIMITS);
    let mut refused = batch(0, "---------");
    drop(fuses.judge(&mut refused));
    assert_eq!(commit(&mut fuses, batch(0, "---------")), (9, None));
    let again = fuses.judge(&mut batch(9, "-"));
    assert!(again.blown.contains_key(&7), "the nine are seen once");
}

#[test]
fn a_hundred_percent_never_blows() {
    let limits = Fuse {
        max_rejected_percent: 100,
        ..LIMITS
    };
    let mut fuses = Fuses::new(limits);
    let all = "-".repeat(50);
    assert_eq!(commit(&mut fuses, batch(0, &all)), (50, None));
}
