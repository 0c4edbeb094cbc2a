//! TLS and SASL, to PostgreSQL and to Kafka, as the real binaries use them.

mod certificates;
mod handshake;
mod kafka;
mod postgres;
