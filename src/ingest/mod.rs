//! Kafka to store.
//!
//! A dedicated thread (`consumer`) drives the Kafka client and fills batches (`intake`); a task
//! (`writing`) writes one while the next fills. Where lanes start is found out beside both
//! (`locating`), so that neither a slow database nor a slow broker keeps the thread from its poll.

use std::collections::BTreeMap;

use crate::store::batch::{Batch, Lane};
use crate::store::writer::Written;

pub mod broker;
pub mod client;
mod consumer;
mod context;
pub mod health;
pub mod intake;
mod locate;
mod locating;
mod pauses;
pub mod run;
pub mod service;
pub mod start;
mod watching;
mod writing;

/// A batch on its way to the writer.
#[derive(Debug)]
pub struct Closed {
    pub batch: Batch,
    pub reason: intake::Close,
}

/// What the tasks tell the consumer's thread.
#[derive(Debug)]
pub enum Report {
    /// The batch it handed over is settled.
    Written(Written),
    /// Where lanes go on.
    Located(BTreeMap<Lane, i64>),
    /// The stored offset of every lane, a moment ago.
    Stored(BTreeMap<Lane, i64>),
}
