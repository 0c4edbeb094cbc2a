//! What usually happens to payloads, from those of the last 7 days.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use super::path::Step;

/// Fewer payloads than this tell nothing.
pub const ENOUGH: i64 = 20;

/// How long something took, over several payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Payloads it is read from.
    pub samples: i64,
    /// Half of them took no longer.
    pub p50: TimeDelta,
    /// 95 % of them took no longer.
    pub p95: TimeDelta,
}

/// What happened at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepStatistics {
    /// Payloads that were there.
    pub passed: i64,
    /// From the first status to the last, over the payloads whose step ended: in success or in
    /// failure. None where none did.
    pub took: Option<Spread>,
}

/// A step that payloads entered after another one, at once or with others between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    pub step: Step,
    /// From leaving the one to entering the other.
    pub wait: Spread,
}

/// What is known of some steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    steps: HashMap<Step, StepStatistics>,
    /// In the order of steps, so that answers are the same each time.
    followers: HashMap<Step, BTreeMap<Step, Spread>>,
}

impl Statistics {
    pub fn put_step(&mut self, step: Step, statistics: StepStatistics) {
        self.steps.insert(step, statistics);
    }

    pub fn put_follower(&mut self, after: Step, follower: Follower) {
        let followers = self.followers.entry(after).or_default();
        followers.insert(follower.step, follower.wait);
    }

    /// How many payloads were at the step.
    pub fn passed(&self, step: Step) -> i64 {
        self.steps.get(&step).map_or(0, |known| known.passed)
    }

    /// Whether enough payloads were at the step to know what follows it.
    pub fn knows(&self, step: Step) -> bool {
        self.passed(step) >= ENOUGH
    }

    /// How long the step takes; none where too few payloads ended it.
    pub fn took(&self, step: Step) -> Option<Spread> {
        let took = self.steps.get(&step)?.took?;
        (took.samples >= ENOUGH).then_some(took)
    }

    /// How long payloads wait between two steps; none where too few went this way.
    pub fn wait(&self, after: Step, step: Step) -> Option<Spread> {
        let wait = self.followers.get(&after)?.get(&step)?;
        (wait.samples >= ENOUGH).then_some(*wait)
    }

    /// The followers that are due: those to which at least half of the payloads went on that were
    /// at the step; none where these were too few.
    pub fn due(&self, after: Step) -> impl Iterator<Item = Follower> {
        let passed = self.passed(after);
        let followers = self.followers.get(&after).into_iter().flatten();
        followers
            .filter(move |(_, wait)| passed >= ENOUGH && wait.samples * 2 >= passed)
            .map(|(step, wait)| Follower {
                step: *step,
                wait: *wait,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::verdict::tests::{spread, step};

    fn of(passed: i64, followed: i64) -> Statistics {
        let mut statistics = Statistics::default();
        let took = Some(spread(passed, 1, 2));
        statistics.put_step(step(1), StepStatistics { passed, took });
        let wait = spread(followed, 1, 2);
        statistics.put_follower(
            step(1),
            Follower {
                step: step(2),
                wait,
            },
        );
        statistics
    }

    #[test]
    fn a_follower_is_due_from_20_payloads_and_half_of_them_on() {
        for (passed, followed, due) in [
            (19, 19, false),
            (20, 9, false),
            (20, 10, true),
            (21, 10, false),
            (21, 11, true),
            (1_000, 499, false),
            (1_000, 500, true),
        ] {
            let statistics = of(passed, followed);
            assert_eq!(
                statistics.due(step(1)).count() == 1,
                due,
                "{followed} of {passed}"
            );
        }
    }

    #[test]
    fn fewer_than_20_samples_tell_nothing() {
        assert!(!of(19, 19).knows(step(1)) && of(20, 0).knows(step(1)));
        assert_eq!(of(19, 0).took(step(1)), None);
        assert!(of(20, 0).took(step(1)).is_some());
        assert_eq!(of(100, 19).wait(step(1), step(2)), None);
        assert!(of(100, 20).wait(step(1), step(2)).is_some());
        assert!(!Statistics::default().knows(step(1)));
    }
}
