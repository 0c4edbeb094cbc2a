//! Reads status messages from Kafka and writes them to PostgreSQL.
//!
//! The way of a message: the consumer's thread (`ingest/consumer.rs`) receives it,
//! `status::Message::decode` decides whether it is stored or rejected, and `store/writer.rs`
//! commits a batch of them with its offsets.

use std::process::ExitCode;

use clap::Parser;
use payload_tracker::cli::service::{self, ServiceArgs};
use payload_tracker::{config, ingest};

/// Reads status messages from Kafka and writes them to PostgreSQL.
///
/// Settings come from the environment; README.md lists them.
#[derive(Parser)]
#[command(name = "pt-consumer", version)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
}

fn main() -> ExitCode {
    let args = Args::parse().service;
    service::run(
        "pt-consumer",
        args,
        config::Consumer::load,
        ingest::service::serve,
    )
}
