//! Where a payload is, whether it succeeded, and what is still to come: plain rules over its statuses
//! and over what usually happened in the last 7 days. No I/O, and no clock: `now` is passed in.
//!
//! [`Path`] is what happened, [`Statistics`] what usually happens, [`Expectation`] what is to come,
//! and [`Finding`] the verdict. `docs/API.md` has the rules one by one.

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
