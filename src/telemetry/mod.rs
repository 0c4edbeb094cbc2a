//! Logs, metrics and probes.

pub mod logs;
pub mod metrics;
pub mod probes;
pub mod progress;
pub mod serve;
