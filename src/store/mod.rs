//! PostgreSQL: sessions, entities, the bulk writer, partitions, offsets, migrations.

mod authority;
pub mod batch;
pub mod dictionary;
pub mod entity;
pub mod failure;
mod fold;
pub mod fuse;
pub mod halving;
pub mod learning;
pub mod lent;
pub mod migrate;
pub mod odd_offsets;
pub mod offsets;
pub mod outcomes;
pub mod parity;
pub mod partitions;
pub mod producers;
pub mod redrive;
pub mod session;
mod statements;
pub mod writer;
