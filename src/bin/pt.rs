use std::process::ExitCode;

use clap::Parser;
use payload_tracker::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
