use super::*;

/// Of lanes with partition, first and next.
fn position(lanes: &[(i32, i64, i64)]) -> Position {
    let at = DateTime::from_timestamp(1_769_847_330, 0).unwrap();
    let lanes = lanes.iter().map(|(partition, first, next)| {
        let moved = at - TimeDelta::seconds(7);
        (
            Lane::of("topic", *partition),
            Mark::new(*first, *next, moved),
        )
    });
    Position {
        at,
        lanes: lanes.collect(),
    }
}

fn mark(position: &Position) -> Mark {
    position.lanes[&Lane::of("topic", 0)]
}

#[test]
fn an_id_says_all_of_a_position() {
    let large = 1 << 40;
    let sent_back = position(&[(0, 50, 90)]).by(&position(&[(0, 0, 0)]));
    let read = Position::decode(&sent_back.encode()).unwrap();
    assert_eq!(
        mark(&read).since,
        mark(&read).moved,
        "not what was stored by then"
    );
    for lanes in [
        vec![],
        vec![(0, 0, 0)],
        vec![(0, 0, large), (7, -40, 300), (i32::MAX, 1, i64::MAX)],
        vec![
            (0, -large, -large),
            (1, i64::MIN, i64::MIN),
            (2, i64::MAX, i64::MAX),
        ],
    ] {
        let position = position(&lanes);
        let read = Position::decode(&position.encode()).unwrap();
        assert_eq!(read.at, position.at);
        for (lane, mark) in &position.lanes {
            let read = read.lanes[lane];
            assert_eq!((read.first, read.next), (mark.first, mark.next));
            let later = read.moved - mark.moved;
            assert_eq!(
                later,
                TimeDelta::milliseconds(1),
                "what was stored then is below"
            );
        }
    }
}

#[test]
fn an_id_of_twenty_lanes_is_short() {
    let lanes: Vec<_> = (0..20).map(|lane| (lane, 0, 1_000_000_000)).collect();
    assert!(position(&lanes).encode().len() < 420);
}

#[test]
fn what_is_no_id_is_refused() {
    let id = position(&[(0, 0, 5), (1, 0, 6)]).encode();
    for length in 0..id.len() {
        assert_eq!(Position::decode(&id[..length]), None, "{length}");
    }
    for given in [
        "",
        "5",
        "é",
        "////",
        "AAAA",
        &format!("{id}AA"),
        &"_".repeat(5_000),
    ] {
        assert_eq!(Position::decode(given), None, "{given}");
    }
}

#[test]
fn numbers_beyond_what_they_can_be_are_refused() {
    let lane = |passed, first, age| {
        let mut bytes = Vec::new();
        [VERSION, 1_769_847_330_000, 1, 7, 0, passed, first, age]
            .into_iter()
            .for_each(|number| put(&mut bytes, number));
        Position::decode(&URL_SAFE_NO_PAD.encode(bytes))
    };
    assert!(lane(5, 0, 14_000).is_some());
    assert_eq!(lane(u64::MAX, 0, 0), None, "no offset");
    assert_eq!(lane(1, zigzag(i64::MAX), 0), None, "beyond the last");
    assert_eq!(lane(5, 0, 2 * 1_769_847_330_001), None, "before 1970");
    assert_eq!(lane(5, 0, u64::MAX), None, "before 1970");
}

#[test]
fn what_was_stored_after_an_old_mark_is_looked_for_within_bounds() {
    let at = position(&[]).at;
    let stored = |ago, half| Mark::stored((0, 5), at - ago, at, half).since;
    let (short, long) = (TimeDelta::seconds(7), TimeDelta::days(3));
    assert_eq!(stored(short, false), at - short - CLOCK_STEP);
    let bound = at - LONGEST_TRANSACTION - CLOCK_STEP;
    assert_eq!(stored(long, false), bound);
    assert_eq!(stored(long, true), at - long - CLOCK_STEP, "half a batch");
    let new = position(&[]).by(&position(&[(0, 5, 9)]));
    assert_eq!((mark(&new).next, mark(&new).since), (5, bound));
}

#[test]
fn a_place_moves_with_a_lane_that_is_sent_back() {
    let here = position(&[(0, 50, 90)]);
    let same = here.by(&position(&[(0, 50, 120)]));
    assert_eq!(same, here);
    let sent_back = mark(&here.by(&position(&[(0, -40, 6)])));
    assert_eq!((sent_back.first, sent_back.next), (-40, 0));
    assert_eq!(
        sent_back.since,
        mark(&here).moved,
        "not what was stored by then"
    );
    let far = mark(&position(&[(0, i64::MAX, i64::MAX)]).by(&position(&[(0, i64::MIN, 0)])));
    assert_eq!(far.next, 0);
}

#[test]
fn a_position_is_past_what_lies_below_it_or_was_stored_before() {
    let position = position(&[(0, 0, 5)]);
    let stored = mark(&position).moved;
    let new = stored + TimeDelta::microseconds(1);
    for (origin, stored, expected) in [
        (None, new, true),
        (Some((0, 4)), new, true),
        (Some((0, 5)), new, false),
        (Some((0, 5)), stored, true),
        (Some((1, 5)), new, true),
    ] {
        assert_eq!(position.is_past(origin, stored), expected, "{origin:?}");
    }
}

#[test]
fn one_position_knows_what_another_knew_in_every_lane() {
    let there = position(&[(0, 0, 5), (1, 10, 20)]);
    for (here, expected) in [
        (vec![(0, 0, 5), (1, 10, 20)], true),
        (vec![(0, 0, 6), (1, 10, 20), (2, 0, 0)], true),
        (vec![(0, 0, 5), (1, 10, 19)], false),
        // Sent back, and read on; the other is gone.
        (vec![(1, 0, 10)], true),
        (vec![(1, 0, 9)], false),
    ] {
        let mut here = position(&here);
        assert_eq!(here.knows(&there), expected, "{here:?}");
        here.at += KNOWN_AFTER;
        assert_eq!(here.knows(&there), expected, "{here:?}");
        here.at += TimeDelta::milliseconds(1);
        assert!(here.knows(&there), "it was not so lately");
    }
}
