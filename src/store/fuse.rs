//! A fuse for each lane: when most of its last messages were rejected, the lane stops.
//!
//! Judged where the rejects are written, so that every kind of reject counts; that a fuse has
//! blown is stored with the lane's offset, and survives a restart. The windows themselves are
//! this process's: a lane is judged once it has seen a whole window of it.

mod table;
mod window;

use std::collections::BTreeMap;

pub use table::{Blown, Release, blow, list, release, still_blown};
use window::{Outcome, Window};

use super::batch::{Batch, Lane, Part};
use crate::config::Fuse;

/// What a lane looked like when its fuse blew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Messages in the window.
    pub seen: usize,
    /// Those of them that were rejected.
    pub rejected: usize,
    /// A sentence with both numbers and the most frequent reason and service.
    pub detail: String,
}

/// The windows of the lanes one writer writes.
#[derive(Debug)]
pub struct Fuses {
    limits: Fuse,
    windows: BTreeMap<Lane, Window>,
}

/// The windows as they are once a batch is committed.
#[derive(Debug, Default)]
pub struct Judgement {
    windows: BTreeMap<Lane, Window>,
    /// Lanes whose fuse blows with the last message that their part still has.
    blown: BTreeMap<Lane, Blow>,
}

impl Judgement {
    /// Of these lanes, those whose fuse blows.
    pub fn blown_among(&self, lanes: &BTreeMap<Lane, i64>) -> BTreeMap<Lane, Blow> {
        let blown = self
            .blown
            .iter()
            .filter(|(lane, _)| lanes.contains_key(lane));
        blown.map(|(lane, blow)| (*lane, blow.clone())).collect()
    }
}

impl Fuses {
    /// No message seen yet.
    pub fn new(limits: Fuse) -> Self {
        Self {
            limits,
            windows: BTreeMap::new(),
        }
    }

    /// Looks what the batch does to each lane's window. Where it makes a fuse blow, the rest of the
    /// part is cut off: it is read again when the lane goes on.
    pub fn judge(&self, batch: &mut Batch) -> Judgement {
        let mut judgement = Judgement::default();
        for (lane, part) in &mut batch.parts {
            let mut window = match self.windows.get(lane) {
                Some(window) if window.follows(part.start) => window.clone(),
                // The lane was elsewhere meanwhile.
                _ => Window::at(part.start),
            };
            if let Some(offset) = first_blow(part, &mut window, &self.limits) {
                part.cut_after(offset);
                judgement.blown.insert(*lane, window.blow());
                window = Window::at(part.end);
            }
            window.next = part.end;
            judgement.windows.insert(*lane, window);
        }
        judgement
    }

    /// `lanes` of the judged batch are committed.
    pub fn settle<'a>(&mut self, mut judgement: Judgement, lanes: impl Iterator<Item = &'a Lane>) {
        for lane in lanes {
            if let Some(window) = judgement.windows.remove(lane) {
                self.windows.insert(*lane, window);
            }
        }
    }
}

/// The offset of the first message that blows the fuse. Only a reject can.
fn first_blow(part: &Part, window: &mut Window, limits: &Fuse) -> Option<i64> {
    let mut good = part.stored.iter().map(|stored| stored.offset).peekable();
    for rejected in &part.rejected {
        while good.next_if(|offset| *offset < rejected.offset).is_some() {
            window.push(Outcome::Stored, limits.window);
        }
        window.push(Outcome::of(&rejected.reject), limits.window);
        if window.is_over(limits) {
            return Some(rejected.offset);
        }
    }
    window.push_good(good.count(), limits.window);
    None
}

#[cfg(test)]
mod tests;
