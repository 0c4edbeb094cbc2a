//! What the writer commits in one transaction.

use std::collections::BTreeMap;

use crate::status::{Message, Reject};

/// A lane: one partition of the topic. Offsets are counted, fenced and committed per lane.
pub type Lane = i32;

/// A message that became a status, and where it came from.
#[derive(Debug)]
pub struct Stored {
    pub offset: i64,
    pub message: Message,
}

/// A message that did not, whole.
#[derive(Debug)]
pub struct Rejected {
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    /// `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    pub reject: Reject,
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

    /// Offsets that held no message: transaction markers and what compaction removed.
    pub fn skipped(&self) -> i64 {
        self.end - self.start - (self.stored.len() + self.rejected.len()) as i64
    }
}

/// The messages of one transaction, by lane.
#[derive(Debug, Default)]
pub struct Batch {
    pub parts: BTreeMap<Lane, Part>,
}

impl Batch {
    /// Messages in it, rejects included.
    pub fn len(&self) -> usize {
        self.parts
            .values()
            .map(|part| part.stored.len() + part.rejected.len())
            .sum()
    }

    /// Whether no lane has anything to commit.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The good messages of all lanes, lane by lane.
    pub fn stored(&self) -> impl Iterator<Item = (Lane, &Stored)> {
        self.parts
            .iter()
            .flat_map(|(lane, part)| part.stored.iter().map(|stored| (*lane, stored)))
    }

    /// The rejects of all lanes, lane by lane.
    pub fn rejected(&self) -> impl Iterator<Item = (Lane, &Rejected)> {
        self.parts
            .iter()
            .flat_map(|(lane, part)| part.rejected.iter().map(|rejected| (*lane, rejected)))
    }
}
