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
const VERSION: u64 = 2;

/// No transaction that writes statuses stays open that long: its statements are bounded, and the server
/// ends one that idles.
const LONGEST_TRANSACTION: TimeDelta = TimeDelta::minutes(15);

/// By then each process has looked at what another knew, whose ids tell of when it looked before.
const KNOWN_AFTER: TimeDelta = TimeDelta::seconds(10);

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

/// A place in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where the lane's counters begin: it sinks by as much as the lane is sent back.
    pub first: i64,
    /// Every status of the lane below this is committed.
    pub next: i64,
    /// What is below was stored by then, and what comes is stored later.
    pub moved: DateTime<Utc>,
    /// The same with care for clocks. What was stored of the offsets that come before this is of another log,
    /// or was sent back.
    pub since: DateTime<Utc>,
}

impl Mark {
    pub fn new(first: i64, next: i64, moved: DateTime<Utc>) -> Self {
        Self {
            first,
            next,
            moved,
            since: moved - CLOCK_STEP,
        }
    }

    /// Of a lane that is stored like that and looked at at `at`. `is_half_stored`: the odd half of a batch is
    /// committed and the other not yet; then the lane may have been moved any time ago.
    pub fn stored(
        (first, next): (i64, i64),
        updated: DateTime<Utc>,
        at: DateTime<Utc>,
        is_half_stored: bool,
    ) -> Self {
        let moved = match is_half_stored {
            true => updated,
            false => updated.max(at - LONGEST_TRANSACTION),
        };
        Self::new(first, next, moved)
    }

    /// The same place when the lane is where `later` is. It may have been sent back meanwhile, to be read again
    /// or because its topic is another one of that name: what is stored of it from then on is new, and what
    /// was stored of the same offsets before is not.
    fn by(self, later: &Self) -> Self {
        let sunk = self.first.saturating_sub(later.first);
        if sunk <= 0 {
            return self;
        }
        Self {
            first: later.first,
            next: self.next.saturating_sub(sunk),
            since: self.moved,
            ..self
        }
    }

    /// How far the lane was read, however often it was sent back.
    fn passed(&self) -> i64 {
        self.next.saturating_sub(self.first)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    pub lanes: BTreeMap<Lane, Mark>,
}

impl Position {
    /// The same place in the lanes as they are `later`, from their start in those that are new.
    pub fn by(&self, later: &Self) -> Self {
        let lanes = later.lanes.iter().map(|(lane, now)| {
            let mark = match self.lanes.get(lane) {
                Some(mark) => mark.by(now),
                None => Mark::new(now.first, now.first, self.at - LONGEST_TRANSACTION),
            };
            (*lane, mark)
        });
        Self {
            at: self.at,
            lanes: lanes.collect(),
        }
    }

    /// Passes one status of a lane, on the way to `end`.
    pub fn pass(&mut self, lane: Lane, offset: i64, end: Mark) {
        if let Some(mark) = self.lanes.get_mut(&lane) {
            let next = offset.saturating_add(1);
            // What comes before the end may have been stored with what was passed.
            *mark = if next == end.next {
                end
            } else {
                Mark { next, ..*mark }
            };
        }
    }

    /// Whether a status of this origin, stored at that moment, lies before the position; one without an origin
    /// does, and what was stored by then of an offset that comes: the lane was sent back.
    pub fn is_past(&self, origin: Option<(i32, i64)>, stored: DateTime<Utc>) -> bool {
        let Some((partition, offset)) = origin else {
            return true;
        };
        let of_partition = self
            .lanes
            .iter()
            .filter(|(lane, _)| lane.partition == partition);
        let mut marks = of_partition.map(|(_, mark)| mark).peekable();
        marks.peek().is_none() || marks.any(|mark| offset < mark.next || stored <= mark.moved)
    }

    /// Whether who stands here knows all that is known at `other`: it lies before this too, or has for so long
    /// that this is no place of the same lanes. Lanes that are gone have no place.
    pub fn knows(&self, other: &Self) -> bool {
        if self.at - other.at > KNOWN_AFTER {
            return true;
        }
        other.lanes.iter().all(|(lane, there)| {
            let here = self.lanes.get(lane);
            here.is_none_or(|here| here.passed() >= there.passed())
        })
    }

    /// As the id of an event: base64 without padding, of numbers in LEB128.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(16 + 16 * self.lanes.len());
        let at = self.at.timestamp_millis();
        put(&mut bytes, VERSION);
        put(&mut bytes, at.unsigned_abs());
        put(&mut bytes, self.lanes.len() as u64);
        for (lane, mark) in &self.lanes {
            // Up: what was stored in that millisecond is below the mark.
            let moved = mark.moved.timestamp_micros().div_euclid(1_000) + 1;
            put(&mut bytes, lane.topic.into());
            put(&mut bytes, lane.partition.unsigned_abs().into());
            put(&mut bytes, mark.passed().unsigned_abs());
            put(&mut bytes, zigzag(mark.first));
            let age = (at - moved).max(0).unsigned_abs();
            put(&mut bytes, age << 1 | u64::from(mark.since == mark.moved));
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
        let at = DateTime::from_timestamp_millis(numbers.next()?.try_into().ok()?)?;
        let count = numbers.next()?;
        let mut lanes = BTreeMap::new();
        for _ in 0..count {
            let (lane, mark) = numbers.lane(at)?;
            lanes.insert(lane, mark);
        }
        numbers.0.is_empty().then_some(Self { at, lanes })
    }
}

/// Small numbers of either sign as small numbers.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
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
        for shift in (0..64).step_by(7) {
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
        let passed: i64 = self.next()?.try_into().ok()?;
        let first = unzigzag(self.next()?);
        let age = self.next()?;
        let (age, is_sent_back) = ((age >> 1).cast_signed(), age & 1 == 1);
        // Not before 1970: dates without end are more than the database can be asked for.
        let moved = at
            .timestamp_millis()
            .checked_sub(age)
            .filter(|at| *at >= 0)?;
        let moved = DateTime::from_timestamp_millis(moved)?;
        let mut mark = Mark::new(first, first.checked_add(passed)?, moved);
        if is_sent_back {
            mark.since = moved;
        }
        Some((lane, mark))
    }
}

#[cfg(test)]
mod tests;
