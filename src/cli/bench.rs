//! `pt bench`: how fast, and where the time goes.

mod api;
mod consumer;
mod copy;
mod database;
mod fleet;
mod ingest;
mod metrics;
mod older;
mod process;
mod report;
mod service;
mod steady;
mod topic;
mod traffic;

use super::Failure;

/// Measures the consumer and the API on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pt bench ingest --messages 200000\n  pt bench api")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Ingest(ingest::Args),
    Api(api::Args),
}

pub async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Ingest(args) => ingest::run(args).await,
        What::Api(args) => api::run(args).await,
    }
}
