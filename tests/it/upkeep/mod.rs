//! Partitions ahead, and what has expired gone: by rounds, by `pt retention` and by the consumer.

mod crashes;
mod fixture;
mod interleaved;
mod learning;
mod many_days;
mod payloads;
mod readers;
mod rejects;
mod rounds;
mod tool;
mod vanished;
