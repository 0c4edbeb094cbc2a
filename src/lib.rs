//! Payload Tracker: where is my payload, did it succeed, why not, and who was told?
//!
//! The map, in the order a message travels:
//! `pt-consumer` reads Kafka and writes PostgreSQL, `pt-api` answers questions, `pt` is the operator's tool.

/// The read API over HTTP.
pub mod api;
/// The subcommands of `pt`.
pub mod cli;
/// Settings: one struct a concern, read from the environment and Clowder.
pub mod config;
/// Embedded broker, private PostgreSQL and demo traffic for `pt dev` and the tests.
#[cfg(feature = "dev")]
pub mod dev;
/// What happened to a payload, and what is still to come. Pure, no I/O.
pub mod explain;
/// Lengths of time as numbers that add up.
pub mod histogram;
/// Kafka to store: consumer thread, lanes, batches.
pub mod ingest;
/// Moments as people name them.
pub mod since;
/// The domain: what a status message is and when it is rejected. Pure, no I/O.
pub mod status;
/// PostgreSQL: sessions, entities, the bulk writer, partitions, offsets, migrations.
pub mod store;
/// Logs, metrics and probes.
pub mod telemetry;
/// Partitions ahead of their day, and what has expired gone.
pub mod upkeep;
