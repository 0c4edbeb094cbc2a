//! The operator's tool, run as a process.

mod bench;
mod demo;
mod offsets;
mod rejects;
mod seed;
mod send;
pub mod tool;
mod track;
