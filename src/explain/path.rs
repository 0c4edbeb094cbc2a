//! What happened to a payload, step by step.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// Where a payload can be: a service and, where it names one, a source. By their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    pub service: i32,
    pub source: Option<i32>,
}

/// What a status name means (table `status_classes`; a name it does not list is progress).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Progress,
    Success,
    Failure,
}

/// A status, as far as the rules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Row id; breaks ties between equal dates.
    pub id: i64,
    pub step: Step,
    /// Id of its name.
    pub name: i32,
    pub class: Class,
    /// When it happened.
    pub date: DateTime<Utc>,
}

/// A payload at a step: from its first status there to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// By date, ties by row id.
    pub first: Status,
    /// By date, ties by row id.
    pub last: Status,
    /// Statuses of the step.
    pub statuses: usize,
}

impl Stay {
    pub fn step(&self) -> Step {
        self.last.step
    }

    /// That of the last status.
    pub fn class(&self) -> Class {
        self.last.class
    }

    /// Date of the first status.
    pub fn entered(&self) -> DateTime<Utc> {
        self.first.date
    }

    /// Date of the last status.
    pub fn left(&self) -> DateTime<Utc> {
        self.last.date
    }

    /// From the first status to the last.
    pub fn took(&self) -> TimeDelta {
        self.left() - self.entered()
    }

    fn add(&mut self, status: Status) {
        let order = |status: &Status| (status.date, status.id);
        if order(&status) < order(&self.first) {
            self.first = status;
        }
        if order(&status) > order(&self.last) {
            self.last = status;
        }
        self.statuses += 1;
    }
}

/// How long a payload waited between two steps: from leaving the one to entering the other, none
/// where they overlap.
pub fn wait(before: &Stay, after: &Stay) -> TimeDelta {
    (after.entered() - before.left()).max(TimeDelta::zero())
}

/// The steps of a payload in the order in which it entered them, ties by the row id of the first
/// status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Stay>);

impl FromIterator<Status> for Path {
    /// Of statuses in any order.
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> Self {
        let mut stays: HashMap<Step, Stay> = HashMap::new();
        for status in statuses {
            stays
                .entry(status.step)
                .and_modify(|stay| stay.add(status))
                .or_insert(Stay {
                    first: status,
                    last: status,
                    statuses: 1,
                });
        }
        let mut stays: Vec<Stay> = stays.into_values().collect();
        stays.sort_unstable_by_key(|stay| (stay.first.date, stay.first.id));
        Self(stays)
    }
}

impl Path {
    pub fn stays(&self) -> &[Stay] {
        &self.0
    }

    /// The stay whose last status is the latest of all; none without statuses.
    pub fn latest(&self) -> Option<&Stay> {
        let order = |stay: &&Stay| (stay.last.date, stay.last.id);
        self.0.iter().max_by_key(order)
    }

    pub fn has(&self, step: Step) -> bool {
        self.0.iter().any(|stay| stay.step() == step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::explain::verdict::tests::{at, status, step};

    #[test]
    fn a_step_is_a_service_and_source_and_its_class_that_of_the_last_status() {
        let from_one = Step {
            service: 1,
            source: Some(1),
        };
        let mut other = status(4, 1, Class::Failure, 2);
        other.step = from_one;
        let path: Path = [
            status(2, 2, Class::Success, 3),
            status(1, 1, Class::Progress, 0),
            status(3, 1, Class::Success, 1),
            other,
        ]
        .into_iter()
        .collect();
        let steps: Vec<_> = path.stays().iter().map(Stay::step).collect();
        assert_eq!(steps, [step(1), from_one, step(2)]);
        let first = path.stays()[0];
        assert_eq!(first.class(), Class::Success);
        assert_eq!((first.entered(), first.left()), (at(0), at(1)));
        assert_eq!(first.took(), TimeDelta::seconds(1));
        assert_eq!(wait(&first, &path.stays()[2]), TimeDelta::seconds(2));
        assert_eq!(wait(&path.stays()[2], &first), TimeDelta::zero());
        assert_eq!(path.latest().unwrap().step(), step(2));
    }

    #[test]
    fn equal_dates_are_told_apart_by_row_id() {
        let path: Path = [
            status(9, 1, Class::Success, 0),
            status(8, 1, Class::Failure, 0),
            status(7, 2, Class::Success, 0),
        ]
        .into_iter()
        .collect();
        assert_eq!(path.stays()[0].step(), step(2));
        assert_eq!(path.stays()[1].class(), Class::Success);
        assert_eq!(path.latest().unwrap().step(), step(1));
    }

    proptest! {
        #[test]
        fn the_order_in_which_statuses_are_read_changes_nothing(
            said in prop::collection::vec((0..4_i32, 0..20_i64), 0..20),
            turn in 0..20_usize,
        ) {
            let mut statuses: Vec<Status> = said.iter().enumerate()
                .map(|(id, (service, second))| status(id as i64, *service, Class::Progress, *second))
                .collect();
            let path: Path = statuses.iter().copied().collect();
            prop_assert_eq!(path.stays().iter().map(|stay| stay.statuses).sum::<usize>(), statuses.len());
            if !statuses.is_empty() {
                let middle = turn % statuses.len();
                statuses.rotate_left(middle);
            }
            prop_assert_eq!(statuses.into_iter().rev().collect::<Path>(), path);
        }
    }
}
