//! The read API over TCP, on rows put in by SQL.

mod accounting;
mod archive;
mod broker;
mod cancel;
mod cursors;
mod fixture;
mod kibana;
mod lists;
mod openapi;
mod outages;
mod payload;
mod payloads;
mod probes;
mod producers;
mod rate_limit;
mod rejects;
mod replica;
mod request_log;
mod routes;
mod rows;
mod stats;
mod statuses;
