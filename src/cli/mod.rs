//! The subcommands of `pt`, the operator's tool: one file each, with its `Args` and its `run`.

mod bench;
#[cfg(feature = "dev")]
mod dev;
mod failure;
mod fuse;
mod health;
mod migrate;
mod offsets;
mod producer;
mod rejects;
mod retention;
mod seed;
mod send;
pub mod service;
mod signals;
mod stdout;
mod text;
mod track;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;

/// Payload Tracker's operator tool.
///
/// Settings come from the environment, as for pt-consumer and pt-api.
#[derive(Debug, Parser)]
#[command(
    name = "pt",
    version,
    after_help = "Example:\n  pt track 747c1300667b441e8e8f448337588ec0"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "dev")]
    Dev(dev::Args),
    Migrate(migrate::Args),
    Seed(seed::Args),
    Send(Box<send::Args>),
    Track(track::Args),
    Rejects(rejects::Args),
    Fuse(fuse::Args),
    Offsets(offsets::Args),
    Health(health::Args),
    Bench(bench::Args),
    Retention(retention::Args),
}

impl Cli {
    /// Runs the subcommand; a failure becomes one line on stderr and the exit code
    /// (2: wrong settings or usage, 1: everything else).
    pub async fn run(self) -> ExitCode {
        let outcome = match self.command {
            #[cfg(feature = "dev")]
            Command::Dev(args) => dev::run(args).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Seed(args) => seed::run(args).await,
            Command::Send(args) => send::run(*args).await,
            Command::Track(args) => track::run(args).await,
            Command::Rejects(args) => rejects::run(args).await,
            Command::Fuse(args) => fuse::run(args).await,
            Command::Offsets(args) => offsets::run(args).await,
            Command::Health(args) => health::run(args).await,
            Command::Bench(args) => bench::run(args).await,
            Command::Retention(args) => retention::run(args).await,
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("pt: {failure}");
                failure.exit_code()
            }
        }
    }
}
