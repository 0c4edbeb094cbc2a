//! Whether the consumer does its work, and if not, why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::batch::Lane;

/// Who works with the database. Each speaks for itself: that one gets its answers does not mean
/// that the other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// The first questions of a start.
    Starting,
    Writing,
    Locating,
}

/// Shared between the consumer's thread, its tasks and the probes.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Why the topic cannot be read yet.
    kafka: Option<String>,
    joined: bool,
    /// Why the group does not take this member.
    refused: Option<String>,
    /// Lanes that wait for their start.
    locating: BTreeSet<Lane>,
    /// Lanes that the group gave and the topic does not have, or no longer.
    absent: BTreeSet<Lane>,
    /// Why a task waits for the database.
    database: BTreeMap<Task, String>,
    /// Lanes whose fuse has blown, and why.
    fuses: BTreeMap<Lane, String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            kafka: Some("no Kafka broker has answered yet".into()),
            joined: false,
            refused: None,
            locating: BTreeSet::new(),
            absent: BTreeSet::new(),
            database: BTreeMap::new(),
            fuses: BTreeMap::new(),
        }
    }
}

impl Health {
    /// The topic is there.
    pub fn topic_found(&self) {
        self.state().kafka = None;
    }

    /// Kafka knows no such topic.
    pub fn topic_missing(&self) {
        self.state().kafka = Some("the topic does not exist".into());
    }

    /// No broker answered, or it refused, and is asked again.
    pub fn kafka_away(&self, reason: &str) {
        self.state().kafka = Some(format!("Kafka: {reason}"));
    }

    /// The group gave its first answer; a later rebalance takes nothing back.
    pub fn joined(&self) {
        let mut state = self.state();
        state.joined = true;
        state.refused = None;
    }

    /// The group does not take this member, and is asked again.
    pub fn refused(&self, reason: &str) {
        self.state().refused = Some(reason.to_owned());
    }

    /// Every lane that waits for its start to be stored.
    pub fn locating(&self, lanes: &[Lane]) {
        self.state().locating = lanes.iter().copied().collect();
    }

    /// Every lane that waits and that the topic does not have: nothing of it is missed. True if
    /// that is news.
    pub fn absent(&self, lanes: BTreeSet<Lane>) -> bool {
        let mut state = self.state();
        let is_news = state.absent != lanes;
        state.absent = lanes;
        is_news
    }

    /// The database did what `task` asked.
    pub fn database_back(&self, task: Task) {
        self.state().database.remove(&task);
    }

    /// The database did not answer `task`, or refused, and is asked again.
    pub fn database_away(&self, task: Task, reason: String) {
        self.state().database.insert(task, reason);
    }

    /// Every lane held here whose fuse has blown, and why.
    pub fn fuses(&self, blown: BTreeMap<Lane, String>) {
        self.state().fuses = blown;
    }

    /// `Err` names what is missing.
    ///
    /// # Errors
    ///
    /// The first thing missing, in the order in which a start goes through them.
    pub fn ready(&self) -> Result<(), String> {
        let state = self.state();
        if let Some(reason) = state.database.values().next() {
            Err(format!("database: {reason}"))
        } else if let Some(reason) = &state.kafka {
            Err(reason.clone())
        } else if let Some(reason) = &state.refused {
            Err(reason.clone())
        } else if !state.joined {
            Err("the consumer group is not joined yet".into())
        } else if let Some((lane, reason)) = state.fuses.first_key_value() {
            let blown = state.fuses.len();
            Err(format!(
                "{blown} blown fuses (`pt fuse list`), the first on partition {lane}: {reason}"
            ))
        } else {
            match state.locating.difference(&state.absent).count() {
                0 => Ok(()),
                waiting => Err(format!("{waiting} lanes wait for their start")),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_the_topic_does_not_have_keep_nobody_from_being_ready() {
        let health = Health::default();
        health.topic_found();
        health.joined();
        health.locating(&[1, 2]);
        assert_eq!(health.ready(), Err("2 lanes wait for their start".into()));
        assert!(health.absent([2].into()), "news");
        assert!(!health.absent([2].into()), "known");
        assert_eq!(health.ready(), Err("1 lanes wait for their start".into()));
        health.locating(&[2]);
        assert_eq!(health.ready(), Ok(()));
        health.absent(BTreeSet::new());
        assert!(health.ready().is_err(), "it is back, and not located yet");
    }

    #[test]
    fn a_refusal_of_the_group_is_the_reason_until_it_takes_the_member() {
        let health = Health::default();
        health.topic_found();
        health.joined();
        health.refused("no");
        assert_eq!(health.ready(), Err("no".into()));
        health.joined();
        assert_eq!(health.ready(), Ok(()));
    }
}
