//! The lanes a consumer holds and the batch it fills from them. Pure: no clock, no I/O.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::config::Ingest;
use crate::status::{Message, Reject};
use crate::store::batch::{Batch, Lane, Part, Raw, Rejected, Stored};

/// A message of the topic, decoded, with what a reject keeps of it.
#[derive(Debug)]
pub struct Received<'a> {
    pub lane: Lane,
    pub offset: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Kafka's timestamp.
    pub produced_at: Option<DateTime<Utc>>,
    pub decoded: Result<Message, Reject>,
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Assigned; where it starts is being found out, and nothing is fetched.
    Locating,
    /// Fetching; the next offset expected.
    Reading { next: i64 },
}

/// Whether a received message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    Taken,
    /// Of a lane that was let go or sent elsewhere, or an offset that is in a batch already.
    Stale,
}

/// Why a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    Count,
    Bytes,
    Time,
    /// Lanes are let go, or the process stops.
    Release,
}

impl Close {
    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Release => "release",
        }
    }
}

/// The lanes of one consumer and its open batch.
#[derive(Debug)]
pub struct Intake {
    limits: Ingest,
    lanes: BTreeMap<Lane, State>,
    open: Batch,
    count: usize,
    bytes: usize,
    /// When its oldest message was produced.
    oldest: Option<DateTime<Utc>>,
}

impl Intake {
    /// No lanes, an empty batch.
    pub fn new(limits: Ingest) -> Self {
        Self {
            limits,
            lanes: BTreeMap::new(),
            open: Batch::default(),
            count: 0,
            bytes: 0,
            oldest: None,
        }
    }

    /// The group gave us `lanes`; where each starts is not known yet.
    pub fn assign(&mut self, lanes: impl IntoIterator<Item = Lane>) {
        for lane in lanes {
            self.lanes.insert(lane, State::Locating);
        }
    }

    /// Where a lane starts is known. False if it was let go, or started, meanwhile.
    pub fn start(&mut self, lane: Lane, next: i64) -> bool {
        match self.lanes.get_mut(&lane) {
            Some(state @ State::Locating) => {
                *state = State::Reading { next };
                true
            }
            Some(State::Reading { .. }) | None => false,
        }
    }

    /// A lane must be located again; what the open batch holds of it is dropped. False if it is
    /// not being read.
    pub fn restart(&mut self, lane: Lane) -> bool {
        match self.lanes.get_mut(&lane) {
            Some(state @ State::Reading { .. }) => {
                *state = State::Locating;
                self.drop_part(lane);
                true
            }
            Some(State::Locating) | None => false,
        }
    }

    /// Lets go of a lane; what the open batch holds of it is dropped. True if it was being read.
    pub fn release(&mut self, lane: Lane) -> bool {
        self.drop_part(lane);
        matches!(self.lanes.remove(&lane), Some(State::Reading { .. }))
    }

    /// Takes a message into the open batch.
    pub fn receive(&mut self, received: Received<'_>) -> Receipt {
        let Some(State::Reading { next }) = self.lanes.get_mut(&received.lane) else {
            return Receipt::Stale;
        };
        if received.offset < *next {
            return Receipt::Stale;
        }
        let part = self
            .open
            .parts
            .entry(received.lane)
            .or_insert_with(|| Part::at(*next));
        *next = received.offset + 1;
        part.end = *next;
        self.count += 1;
        self.bytes += [received.key, received.value]
            .into_iter()
            .flatten()
            .map(<[u8]>::len)
            .sum::<usize>();
        self.oldest = self.oldest.into_iter().chain(received.produced_at).min();
        let offset = received.offset;
        let raw = Raw {
            key: received.key.map(<[u8]>::to_vec),
            value: received.value.map(<[u8]>::to_vec),
            produced_at: received.produced_at,
        };
        match received.decoded {
            Ok(message) => part.stored.push(Stored {
                offset,
                raw,
                message,
            }),
            Err(reject) => part.rejected.push(Rejected {
                offset,
                raw,
                reject,
                sqlstate: None,
            }),
        }
        Receipt::Taken
    }

    /// The limit the open batch has reached, if any; its age is the caller's to know.
    pub fn full(&self) -> Option<Close> {
        if self.count >= self.limits.batch_max_messages {
            Some(Close::Count)
        } else if self.bytes >= self.limits.batch_max_bytes {
            Some(Close::Bytes)
        } else {
            None
        }
    }

    /// When the open batch's oldest message was produced, by Kafka's timestamps.
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        self.oldest
    }

    /// Whether the open batch holds nothing.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Closes the open batch and opens the next.
    pub fn take(&mut self) -> Batch {
        self.count = 0;
        self.bytes = 0;
        self.oldest = None;
        std::mem::take(&mut self.open)
    }

    /// Lanes whose start is being found out.
    pub fn locating(&self) -> Vec<Lane> {
        self.in_state(|state| state == State::Locating)
    }

    /// Lanes that are being fetched.
    pub fn reading(&self) -> Vec<Lane> {
        self.in_state(|state| state != State::Locating)
    }

    /// The next offset expected of each lane that is being fetched.
    pub fn positions(&self) -> BTreeMap<Lane, i64> {
        let position = |(lane, state): (&Lane, &State)| match state {
            State::Reading { next } => Some((*lane, *next)),
            State::Locating => None,
        };
        self.lanes.iter().filter_map(position).collect()
    }

    /// Lanes that the open batch holds something of.
    pub fn open_lanes(&self) -> impl Iterator<Item = Lane> {
        self.open.parts.keys().copied()
    }

    fn in_state(&self, wanted: impl Fn(State) -> bool) -> Vec<Lane> {
        self.lanes
            .iter()
            .filter(|(_, state)| wanted(**state))
            .map(|(lane, _)| *lane)
            .collect()
    }

    fn drop_part(&mut self, lane: Lane) {
        if let Some(part) = self.open.parts.remove(&lane) {
            self.count -= part.stored.len() + part.rejected.len();
            if self.open.is_empty() {
                self.bytes = 0;
                self.oldest = None;
            }
        }
    }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
