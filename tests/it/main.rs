//! Integration tests: real PostgreSQL, a real Kafka protocol over TCP, the real binaries.

mod api;
mod chaos;
mod cli;
mod dev;
mod docs;
mod go_tracker;
mod harness;
mod ingest;
mod lent;
mod migrate;
mod migrate_functions;
mod support;
mod takeover;
mod tls;
mod upkeep;
