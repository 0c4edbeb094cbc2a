//! What a database needs beside its writer: partitions some days ahead, and what has expired gone.
//!
//! A `round::Round` does it once, in one session that holds an advisory lock, so that one process at a
//! time is at it: the lock goes with the session, whatever takes that away. `service` runs rounds
//! beside the consumer, `pt retention --now` runs one. `learning` has a lock of its own, and learns what explain
//! answers from.

mod catalogue;
mod event;
mod expiry;
pub mod learning;
mod learnt;
mod limits;
mod partitions;
mod payloads;
pub mod preview;
mod rejects;
mod round;
pub mod service;
mod session;
mod stride;
mod walk;

pub use catalogue::{Partition, Partitions};
pub use event::{Deleted, Event, Table, Task};
pub use limits::Limits;
pub use round::{Outcome, Round, UpkeepError};
pub use stride::{LONGEST, MOST_ROWS};
