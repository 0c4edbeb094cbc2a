//! Where a listener stands, as the id of an event.
//!
//! Ids of a sequence are not in the order of commits, and `created_at` is when a transaction began. What is
//! in the order of commits is the stored offset of each lane: it moves in the transaction that commits the
//! rows below it. So a position is the next offset of every lane, and nothing below it can come late.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use openssl::sha::sha256;

/// The form below; another one gets another number.
const VERSION: u64 = 1;

/// No transaction that writes statuses stays open that long: its statements are bounded, and the server
/// ends one that idles.
const LONGEST_TRANSACTION: TimeDelta = TimeDelta::minutes(15);

/// For clocks of the database's server that are set back, by hand or by a failover.
const CLOCK_STEP: TimeDelta = TimeDelta::seconds(10);

/// A partition of a topic, which goes by four bytes of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    topic: u32,
    pub partition: i32,
}

impl Lane {
    pub fn of(topic: &str, partition: i32) -> Self {
        let [a, b, c, d, ..] = sha256(topic.as_bytes());
        Self {
            topic: u32::from_be_bytes([a, b, c, d]),
            partition,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Every status of the lane below this is committed.
    pub next: i64,
    /// The transaction that moved it here began then: each one that stores what comes began later.
    pub since: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    pub lanes: BTreeMap<Lane, Mark>,
}

impl Position {
    /// From when on the statuses beyond a lane's mark were stored; of a lane not known here, too.
    pub fn stored_since(&self, lane: Lane) -> DateTime<Utc> {
        let bound = self.at - LONGEST_TRANSACTION;
        let since = self.lanes.get(&lane).map_or(bound, |mark| mark.since);
        since.max(bound) - CLOCK_STEP
    }

    /// Passes one status of a lane.
    pub fn pass(&mut self, lane: Lane, offset: i64) {
        let since = self.at - LONGEST_TRANSACTION;
        let mark = self.lanes.entry(lane).or_insert(Mark { next: 0, since });
        mark.next = offset.saturating_add(1);
    }

    /// Whether a status with this origin lies before the position; one without an origin does.
    pub fn is_past(&self, origin: Option<(i32, i64)>) -> bool {
        let Some((partition, offset)) = origin else {
            return true;
        };
        let of_partition = self
            .lanes
            .iter()
            .filter(|(lane, _)| lane.partition == partition);
        let mut marks = of_partition.map(|(_, mark)| mark.next).peekable();
        marks.peek().is_none() || marks.any(|next| offset < next)
    }

    /// As the id of an event: base64 without padding, of numbers in LEB128.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(16 + 8 * self.lanes.len());
        let at = self.at.timestamp();
        put(&mut bytes, VERSION);
        put(&mut bytes, at.unsigned_abs());
        put(&mut bytes, self.lanes.len() as u64);
        for (lane, mark) in &self.lanes {
            let age = at - mark.since.timestamp();
            put(&mut bytes, lane.topic.into());
            put(&mut bytes, lane.partition.unsigned_abs().into());
            put(&mut bytes, mark.next.unsigned_abs());
            put(
                &mut bytes,
                age.clamp(0, LONGEST_TRANSACTION.num_seconds())
                    .unsigned_abs(),
            );
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None`: not an id that `encode` gave.
    pub fn decode(id: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let mut numbers = Numbers(&bytes);
        if numbers.next()? != VERSION {
            return None;
        }
        let at = DateTime::from_timestamp(numbers.next()?.try_into().ok()?, 0)?;
        let count = numbers.next()?;
        let mut lanes = BTreeMap::new();
        for _ in 0..count {
            let (lane, mark) = numbers.lane(at)?;
            lanes.insert(lane, mark);
        }
        numbers.0.is_empty().then_some(Self { at, lanes })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Numbers<'b>(&'b [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn lane(&mut self, at: DateTime<Utc>) -> Option<(Lane, Mark)> {
        let lane = Lane {
            topic: self.next()?.try_into().ok()?,
            partition: self.next()?.try_into().ok()?,
        };
        let next = self.next()?.try_into().ok()?;
        let age = TimeDelta::try_seconds(self.next()?.try_into().ok()?)?;
        let since = at.checked_sub_signed(age)?;
        Some((lane, Mark { next, since }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(lanes: &[(i32, i64)]) -> Position {
        let at = DateTime::from_timestamp(1_769_847_330, 0).unwrap();
        let lanes = lanes.iter().map(|(partition, next)| {
            let since = at - TimeDelta::seconds(7);
            (Lane::of("topic", *partition), Mark { next: *next, since })
        });
        Position {
            at,
            lanes: lanes.collect(),
        }
    }

    #[test]
    fn an_id_says_all_of_a_position() {
        for lanes in [
            vec![],
            vec![(0, 0)],
            vec![(0, 1 << 40), (7, 300), (i32::MAX, i64::MAX)],
        ] {
            let position = position(&lanes);
            assert_eq!(Position::decode(&position.encode()), Some(position));
        }
    }

    #[test]
    fn an_id_of_twenty_lanes_is_short() {
        let lanes: Vec<_> = (0..20).map(|lane| (lane, 1_000_000_000)).collect();
        assert!(position(&lanes).encode().len() < 400);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let id = position(&[(0, 5), (1, 6)]).encode();
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
    fn what_was_stored_after_an_old_mark_is_looked_for_within_bounds() {
        let mut position = position(&[(0, 5)]);
        let lane = Lane::of("topic", 0);
        assert_eq!(
            position.stored_since(lane),
            position.at - TimeDelta::seconds(17)
        );
        position.lanes.get_mut(&lane).unwrap().since -= TimeDelta::days(3);
        let bound = position.at - LONGEST_TRANSACTION - CLOCK_STEP;
        assert_eq!(position.stored_since(lane), bound);
        assert_eq!(position.stored_since(Lane::of("topic", 1)), bound);
    }

    #[test]
    fn a_position_is_past_what_lies_below_it() {
        let position = position(&[(0, 5)]);
        for (origin, expected) in [
            (None, true),
            (Some((0, 4)), true),
            (Some((0, 5)), false),
            (Some((1, 5)), true),
        ] {
            assert_eq!(position.is_past(origin), expected, "{origin:?}");
        }
    }
}
