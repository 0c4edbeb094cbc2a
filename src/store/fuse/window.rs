//! The last messages of a lane.

use std::collections::{BTreeMap, VecDeque};

use super::Blow;
use crate::config::Fuse;
use crate::status::{Reason, Reject};

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Stored,
    Rejected(Reason, Option<String>),
}

impl Outcome {
    pub fn of(reject: &Reject) -> Self {
        Self::Rejected(reject.reason, reject.service.clone())
    }
}

/// The last outcomes of a lane, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    outcomes: VecDeque<Outcome>,
    rejected: usize,
    /// The offset that follows.
    pub next: i64,
}

impl Window {
    /// Nothing seen before offset `next`.
    pub fn at(next: i64) -> Self {
        Self {
            outcomes: VecDeque::new(),
            rejected: 0,
            next,
        }
    }

    pub fn follows(&self, start: i64) -> bool {
        self.next == start
    }

    pub fn push(&mut self, outcome: Outcome, size: usize) {
        while self.outcomes.len() >= size {
            let oldest = self.outcomes.pop_front();
            self.rejected -= usize::from(matches!(oldest, Some(Outcome::Rejected(..))));
        }
        self.rejected += usize::from(matches!(outcome, Outcome::Rejected(..)));
        self.outcomes.push_back(outcome);
    }

    /// `count` good ones; more than the window holds make no difference.
    pub fn push_good(&mut self, count: usize, size: usize) {
        for _ in 0..count.min(size) {
            self.push(Outcome::Stored, size);
        }
    }

    pub fn is_over(&self, limits: &Fuse) -> bool {
        self.outcomes.len() >= limits.window
            && self.rejected * 100 > limits.max_rejected_percent * self.outcomes.len()
    }

    pub fn blow(&self) -> Blow {
        let (seen, rejected) = (self.outcomes.len(), self.rejected);
        let mut detail = format!("{rejected} of the last {seen} messages were rejected");
        if let Some((reason, service)) = self.most_frequent() {
            let service = service.unwrap_or("a service that is not readable");
            detail += &format!(", most often as {reason} of {service}");
        }
        Blow {
            seen,
            rejected,
            detail,
        }
    }

    fn most_frequent(&self) -> Option<(Reason, Option<&str>)> {
        let mut counts = BTreeMap::new();
        for outcome in &self.outcomes {
            if let Outcome::Rejected(reason, service) = outcome {
                *counts.entry((*reason, service.as_deref())).or_insert(0) += 1;
            }
        }
        let most = counts
            .into_iter()
            .max_by_key(|(_, count): &(_, usize)| *count);
        most.map(|(cause, _)| cause)
    }
}
