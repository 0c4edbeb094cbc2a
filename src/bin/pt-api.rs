//! Answers where payloads are: the read API over what `pt-consumer` stored.
//!
//! `api/router.rs` says which path is answered by what.

use std::process::ExitCode;

use clap::Parser;
use payload_tracker::api::{openapi, server};
use payload_tracker::cli::service::{self, ServiceArgs};
use payload_tracker::config;

/// Answers where payloads are, over HTTP.
///
/// Settings come from the environment; README.md lists them.
#[derive(Parser)]
#[command(name = "pt-api", version)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the OpenAPI document and exit
    #[arg(long)]
    openapi: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.openapi {
        return openapi::print();
    }
    service::run("pt-api", args.service, config::Api::load, server::serve)
}
