//! The read API over TCP, on rows put in by SQL.

mod accounting;
mod cancel;
mod cursors;
mod fixture;
mod lists;
mod openapi;
mod outages;
mod payload;
mod payloads;
mod probes;
mod producers;
mod rejects;
mod replica;
mod routes;
mod rows;
mod statuses;
