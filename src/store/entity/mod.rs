//! The tables as readers see them: one sea-orm entity a table, and beside it the words its
//! queries are said in, as an extension trait on `Select<Entity>`
//! (`payload_statuses::of_payloads(ids).newest(10)`).
//!
//! Rows that the Go tracker wrote hold `''` where a value is absent. Every query here treats the
//! two alike.

pub mod consumer_offsets;
pub mod payload_ids;
pub mod payload_statuses;
pub mod payloads;
mod query;
pub mod redriven_counts;
pub mod redrives;
pub mod rejects;
pub mod services;
pub mod sources;
pub mod status_classes;
pub mod statuses;

pub use query::{Capped, Place, Span, count_capped};
