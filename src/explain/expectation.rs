//! What is still to come.

use chrono::{DateTime, TimeDelta, Utc};

use super::path::{Class, Path, Stay, Step};
use super::statistics::{Follower, Spread, Statistics};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// That a step in progress ends.
    End(Step),
    /// That the payload enters a step, for it was at another one.
    Follower { after: Step, step: Step },
}

impl Awaited {
    /// The step that is to end, or to be entered.
    pub fn step(&self) -> Step {
        match self {
            Self::End(step) | Self::Follower { step, .. } => *step,
        }
    }
}

/// Something that is to come, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    pub awaited: Awaited,
    /// Since when it is waited for; none while the step before it goes on.
    pub since: Option<DateTime<Utc>>,
    /// How long it usually takes.
    pub usual: Spread,
}

impl Expectation {
    /// By when 95 % come; none while the step before it goes on.
    pub fn by(&self) -> Option<DateTime<Utc>> {
        self.since?.checked_add_signed(self.usual.p95)
    }

    /// How long past its p95 it is; none if it is not.
    pub fn overdue(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let overdue = now - self.by()?;
        (overdue > TimeDelta::zero()).then_some(overdue)
    }
}

/// What is to come, the earliest first: steps in progress whose length is known are to end, and due
/// followers that the payload was not at yet are to be entered.
///
/// A follower of several steps is expected after the last of them on the path, which knows best. Its
/// time begins when that step is left, thus not while that is in progress and is to end.
pub fn expectations(path: &Path, statistics: &Statistics) -> Vec<Expectation> {
    let mut found: Vec<Expectation> = Vec::new();
    for stay in path.stays().iter().rev() {
        let end = end(stay, statistics);
        for follower in statistics.due(stay.step()) {
            let known = found
                .iter()
                .any(|other| other.awaited.step() == follower.step);
            if !known && !path.has(follower.step) {
                let since = end.is_none().then_some(stay.left());
                found.push(entry(stay, follower, since));
            }
        }
        found.extend(end);
    }
    found.sort_by_key(|expectation| {
        let by = expectation.by();
        (
            by.is_none(),
            by,
            expectation.usual.p50,
            expectation.awaited.step(),
        )
    });
    found
}

fn end(stay: &Stay, statistics: &Statistics) -> Option<Expectation> {
    if stay.class() != Class::Progress {
        return None;
    }
    Some(Expectation {
        awaited: Awaited::End(stay.step()),
        since: Some(stay.entered()),
        usual: statistics.took(stay.step())?,
    })
}

fn entry(stay: &Stay, follower: Follower, since: Option<DateTime<Utc>>) -> Expectation {
    Expectation {
        awaited: Awaited::Follower {
            after: stay.step(),
            step: follower.step,
        },
        since,
        usual: follower.wait,
    }
}
