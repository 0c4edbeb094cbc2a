use proptest::prelude::*;

use super::*;
use crate::store::batch::Lane;
use crate::store::batch::samples::{rejected, stored};

fn refusal() -> Refusal {
    Refusal {
        sqlstate: Some("22001".into()),
        message: "too long".into(),
    }
}

/// What each offset of a lane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Message,
    Poison,
    Reject,
    Hole,
}

fn part(start: i64, slots: &[Slot]) -> Part {
    let mut part = Part::at(start);
    for (offset, slot) in (start..).zip(slots) {
        match slot {
            Slot::Message | Slot::Poison => part.stored.push(stored(offset)),
            Slot::Reject => part.rejected.push(rejected(offset)),
            Slot::Hole => {}
        }
    }
    part.end = start + slots.len() as i64;
    part
}

/// Commits what a database commits that refuses some rows; answers each piece in its order.
fn settle(batch: Batch, is_poison: impl Fn(Lane, i64) -> bool) -> Vec<Batch> {
    let mut pieces = vec![batch];
    let mut committed = Vec::new();
    while let Some(piece) = pieces.pop() {
        if !piece
            .stored()
            .any(|(lane, one)| is_poison(lane, one.offset))
        {
            committed.push(piece);
            continue;
        }
        match halve(piece, &refusal()) {
            Halved::Halves(earlier, later) => pieces.extend([later, earlier]),
            Halved::Rejected(piece) => pieces.push(piece),
        }
    }
    committed
}

#[test]
fn the_bad_row_stands_alone_and_becomes_a_reject_with_its_code_and_bytes() {
    let batch = Batch {
        parts: [(3, part(10, &[Slot::Message; 9]))].into(),
    };
    let pieces = settle(batch, |_, offset| offset == 14);
    let parts = pieces.iter().flat_map(|piece| &piece.parts);
    let rejects: Vec<_> = parts
        .flat_map(|(lane, part)| part.rejected.iter().map(|reject| (*lane, reject)))
        .collect();
    let [(3, reject)] = rejects.as_slice() else {
        panic!("{rejects:?}");
    };
    assert_eq!(reject.offset, 14);
    assert_eq!(reject.raw.value.as_deref(), Some(&b"14"[..]));
    assert_eq!(reject.sqlstate.as_deref(), Some("22001"));
    assert_eq!(reject.reject.reason, Reason::RefusedByDatabase);
    let detail = "PostgreSQL refuses the row, SQLSTATE 22001: too long";
    assert_eq!(reject.reject.detail, detail);
    assert_eq!(reject.reject.service.as_deref(), Some("puptoo"));
}

fn slots() -> impl Strategy<Value = Vec<Slot>> {
    let slot = prop_oneof![
        8 => Just(Slot::Message),
        2 => Just(Slot::Poison),
        2 => Just(Slot::Reject),
        1 => Just(Slot::Hole),
    ];
    // A part ends with a message: nothing tells of holes after it.
    proptest::collection::vec(slot, 0..40).prop_map(|mut slots| {
        slots.push(Slot::Message);
        slots
    })
}

proptest! {
    #[test]
    fn every_offset_is_passed_once_and_in_order_and_only_poison_is_rejected(
        lanes in proptest::collection::btree_map(0..6_i32, slots(), 1..5)
    ) {
        let parts = lanes.iter().map(|(lane, slots)| (*lane, part(100, slots)));
        let batch = Batch { parts: parts.collect() };
        let slot = |lane: Lane, offset: i64| lanes[&lane][(offset - 100) as usize];
        let pieces = settle(batch, |lane, offset| slot(lane, offset) == Slot::Poison);
        for (lane, slots) in &lanes {
            let mut next = 100;
            for part in pieces.iter().filter_map(|piece| piece.parts.get(lane)) {
                prop_assert_eq!(part.start, next);
                next = part.end;
                let holes = (part.start..part.end).filter(|at| slot(*lane, *at) == Slot::Hole);
                prop_assert_eq!(part.skipped(), holes.count() as i64);
                let good = part.stored.iter().all(|one| slot(*lane, one.offset) == Slot::Message);
                prop_assert!(good);
                for one in &part.rejected {
                    let expected = match slot(*lane, one.offset) {
                        Slot::Poison => Reason::RefusedByDatabase,
                        _ => Reason::MissingField,
                    };
                    prop_assert_eq!(one.reject.reason, expected);
                }
            }
            prop_assert_eq!(next, 100 + slots.len() as i64);
        }
    }
}
