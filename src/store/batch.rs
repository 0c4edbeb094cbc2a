//! What the writer writes together.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::status::{Message, Reject};

/// A lane: one partition of the topic. Offsets are counted, fenced and committed per lane.
pub type Lane = i32;

/// A record as Kafka had it. It stays with its message until that is settled: the database may
/// still refuse what decoding let through, and a reject keeps the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    pub key: Option<Vec<u8>>,
    /// `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Kafka's timestamp of the record: when it was produced, or appended, as the topic is set.
    pub produced_at: Option<DateTime<Utc>>,
}

impl Raw {
    /// Bytes of key and value.
    pub fn len(&self) -> usize {
        let parts = [&self.key, &self.value];
        parts.into_iter().flatten().map(Vec::len).sum()
    }

    /// Whether it has neither.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A message that becomes a status, and where it came from.
#[derive(Debug)]
pub struct Stored {
    pub offset: i64,
    pub raw: Raw,
    pub message: Message,
}

/// A message that does not, whole.
#[derive(Debug)]
pub struct Rejected {
    pub offset: i64,
    pub raw: Raw,
    pub reject: Reject,
    /// With what code the database refused it, if it did.
    pub sqlstate: Option<String>,
}

/// One lane's share of a batch: everything from `start` up to, but not including, `end`.
#[derive(Debug)]
pub struct Part {
    /// The stored offset this part follows on; the fence compares it.
    pub start: i64,
    /// The offset stored once the part is committed.
    pub end: i64,
    pub stored: Vec<Stored>,
    pub rejected: Vec<Rejected>,
}

impl Part {
    /// An empty part that begins at `start`.
    pub fn at(start: i64) -> Self {
        Self {
            start,
            end: start,
            stored: Vec::new(),
            rejected: Vec::new(),
        }
    }

    /// Turns messages into rejects: those for which `why` has a reject, and a SQLSTATE where the
    /// database is the one that refuses. Rejects stay in the order of their offsets.
    pub fn reject(&mut self, mut why: impl FnMut(&Message) -> Option<(Reject, Option<String>)>) {
        let before = self.rejected.len();
        let mut reasons = Vec::new();
        let refused = self.stored.extract_if(.., |stored| {
            let reason = why(&stored.message);
            let is_refused = reason.is_some();
            reasons.extend(reason);
            is_refused
        });
        let refused: Vec<Stored> = refused.collect();
        for (stored, (reject, sqlstate)) in refused.into_iter().zip(reasons) {
            self.rejected.push(Rejected {
                offset: stored.offset,
                raw: stored.raw,
                reject,
                sqlstate,
            });
        }
        if self.rejected.len() > before {
            self.rejected.sort_by_key(|rejected| rejected.offset);
        }
    }

    /// Messages in it, rejects included.
    pub fn len(&self) -> usize {
        self.stored.len() + self.rejected.len()
    }

    /// Size of its messages' keys and values.
    pub fn bytes(&self) -> usize {
        let stored = self.stored.iter().map(|stored| stored.raw.len());
        let rejected = self.rejected.iter().map(|rejected| rejected.raw.len());
        stored.chain(rejected).sum()
    }

    /// Whether it only passes offsets that held no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the part after `offset`, which it holds; what came later is dropped.
    pub fn cut_after(&mut self, offset: i64) {
        self.stored.retain(|stored| stored.offset <= offset);
        self.rejected.retain(|rejected| rejected.offset <= offset);
        self.end = offset + 1;
    }

    /// Offsets that held no message: transaction markers and what compaction removed.
    pub fn skipped(&self) -> i64 {
        self.end - self.start - self.len() as i64
    }
}

/// Messages that are written together, by lane.
#[derive(Debug, Default)]
pub struct Batch {
    pub parts: BTreeMap<Lane, Part>,
}

impl Batch {
    /// Messages in it, rejects included.
    pub fn len(&self) -> usize {
        self.parts.values().map(Part::len).sum()
    }

    /// Whether no lane has anything to commit.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The good messages of all lanes, lane by lane.
    pub fn stored(&self) -> impl Iterator<Item = (Lane, &Stored)> + Clone {
        self.parts
            .iter()
            .flat_map(|(lane, part)| part.stored.iter().map(|stored| (*lane, stored)))
    }
}

#[cfg(test)]
pub mod samples;
