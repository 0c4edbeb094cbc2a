//! Whether the consumer does its work, and if not, why.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared between the consumer's thread, its tasks and the probes.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Why the topic cannot be read yet.
    kafka: Option<String>,
    joined: bool,
    locating: usize,
    database: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            kafka: Some("no Kafka broker has answered yet".into()),
            joined: false,
            locating: 0,
            database: None,
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
        self.state().joined = true;
    }

    /// How many lanes wait for their start to be stored.
    pub fn locating(&self, lanes: usize) {
        self.state().locating = lanes;
    }

    /// The database answered.
    pub fn database_back(&self) {
        self.state().database = None;
    }

    /// The database did not answer, or refused, and is asked again.
    pub fn database_away(&self, reason: String) {
        self.state().database = Some(reason);
    }

    /// `Err` names what is missing.
    ///
    /// # Errors
    ///
    /// The first thing missing, in the order in which a start goes through them.
    pub fn ready(&self) -> Result<(), String> {
        let state = self.state();
        if let Some(reason) = &state.database {
            Err(format!("database: {reason}"))
        } else if let Some(reason) = &state.kafka {
            Err(reason.clone())
        } else if !state.joined {
            Err("the consumer group is not joined yet".into())
        } else if state.locating > 0 {
            Err(format!("{} lanes wait for their start", state.locating))
        } else {
            Ok(())
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
