//! `pt bench`: how fast, and where the time goes.

mod consumer;
mod copy;
mod database;
mod fleet;
mod ingest;
mod metrics;
mod older;
mod process;
mod report;
mod steady;
mod topic;
mod traffic;

use super::Failure;

/// Measures the consumer on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pt bench ingest --messages 200000")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Ingest(ingest::Args),
}

pub async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Ingest(args) => ingest::run(args).await,
    }
}
