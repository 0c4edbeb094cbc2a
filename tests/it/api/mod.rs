//! The read API over TCP, on rows put in by SQL.

mod accounting;
mod archive;
mod broker;
mod cancel;
mod cursors;
mod explain;
mod failures;
mod fixture;
mod kibana;
mod learnt;
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
mod stuck;
