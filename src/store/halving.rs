//! Finding the row that the database refuses.
//!
//! The server says that a statement failed, not for which of its ten thousand rows. A batch is
//! halved until the row stands alone; its neighbours are committed on the way. Pure.

use super::batch::{Batch, Part};
use crate::status::{Message, Reason, Reject};

/// A refused batch, one step further.
#[derive(Debug)]
pub enum Halved {
    /// Earlier and later; per lane the second follows on the first.
    Halves(Batch, Batch),
    /// There was one message, and now it is a reject.
    Rejected(Batch),
}

/// What the database said to a batch.
#[derive(Debug)]
pub struct Refusal {
    pub sqlstate: Option<String>,
    pub message: String,
}

/// Halves `batch`, rejects included: a message stands alone before it is blamed, since a reject may be what
/// the database refuses.
pub fn halve(batch: Batch, refusal: &Refusal) -> Halved {
    if batch.len() < 2 {
        return Halved::Rejected(reject_all(batch, refusal));
    }
    let half = batch.len() / 2;
    let (earlier, later) = cut(batch, half);
    Halved::Halves(earlier, later)
}

/// The first `entries` of a batch that has more, lane by lane, and the rest.
fn cut(batch: Batch, entries: usize) -> (Batch, Batch) {
    let (mut earlier, mut later) = (Batch::default(), Batch::default());
    let mut room = entries;
    for (lane, part) in batch.parts {
        if room == 0 {
            later.parts.insert(lane, part);
        } else if part.len() <= room {
            room -= part.len();
            earlier.parts.insert(lane, part);
        } else {
            let offset = offsets(&part)[room];
            let (before, from) = split(part, offset);
            room = 0;
            earlier.parts.insert(lane, before);
            later.parts.insert(lane, from);
        }
    }
    (earlier, later)
}

/// Of all that the part holds, in order.
fn offsets(part: &Part) -> Vec<i64> {
    let stored = part.stored.iter().map(|one| one.offset);
    let rejected = part.rejected.iter().map(|one| one.offset);
    let mut offsets: Vec<i64> = stored.chain(rejected).collect();
    offsets.sort_unstable();
    offsets
}

/// What lies before `offset`, and the rest. Skipped offsets stay where they are.
fn split(mut part: Part, offset: i64) -> (Part, Part) {
    let messages = part.stored.partition_point(|stored| stored.offset < offset);
    let rejects = part.rejected.partition_point(|one| one.offset < offset);
    let from = Part {
        start: offset,
        end: part.end,
        stored: part.stored.split_off(messages),
        rejected: part.rejected.split_off(rejects),
    };
    part.end = offset;
    (part, from)
}

fn reject_all(mut batch: Batch, refusal: &Refusal) -> Batch {
    for part in batch.parts.values_mut() {
        part.reject(|message| Some((refusal.reject(message), refusal.sqlstate.clone())));
    }
    batch
}

impl Refusal {
    /// Why `message`, which is to blame, is not stored.
    pub fn reject(&self, message: &Message) -> Reject {
        Reject {
            reason: Reason::RefusedByDatabase,
            detail: self.detail(),
            service: Some(message.service.clone()),
            request_id: Some(message.request_id.clone()),
        }
    }

    fn detail(&self) -> String {
        match &self.sqlstate {
            Some(code) => format!(
                "PostgreSQL refuses the row, SQLSTATE {code}: {}",
                self.message
            ),
            None => format!("PostgreSQL refuses the row: {}", self.message),
        }
    }
}

#[cfg(test)]
mod tests;
