//! What `pt dev` and the tests bring along: an embedded broker, a private PostgreSQL, demo traffic.

pub mod broker;
pub mod child;
pub mod demo;
pub mod orphan;
pub mod postgres;
