//! Where a payload is, whether it succeeded, and what is still to come: plain rules over its statuses
//! and over what usually happened in the last 7 days. No I/O, and no clock: `now` is passed in.
//!
//! `path` is what happened, `statistics` what usually happens, `expectation` what is to come, and
//! `verdict` the rules. `docs/API.md` has the rules one by one.

mod expectation;
mod fingerprint;
mod path;
mod sentence;
mod statistics;
mod verdict;

pub use expectation::{Awaited, Expectation, expectations};
pub use fingerprint::{Fingerprint, MOST_READ, MOST_SHOWN};
pub use path::{Class, Path, Status, Stay, Step, wait};
pub use sentence::Telling;
pub use statistics::{ENOUGH, Follower, Spread, Statistics, StepStatistics};
pub use verdict::{Finding, QUIET, Verdict};
