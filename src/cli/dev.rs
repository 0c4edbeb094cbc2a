//! `pt dev`: the whole service on one machine, with nothing to install or configure.

mod children;
mod output;
mod ports;
mod settings;
mod stack;

use super::{Failure, signals};
use settings::Settings;
use stack::Stack;

/// Runs everything on this machine: PostgreSQL, broker, consumer, API and a demo stream.
///
/// Ports are chosen with PUBLICPORT (8080), METRICSPORT (8081), CONSUMER_METRICSPORT (8082), KAFKA_PORT (29092)
/// and POSTGRES_PORT (any free one). Data and logs live in PT_DEV_DIR (.dev). PT_POSTGRES_BIN
/// names the folder of PostgreSQL's server binaries, PT_POSTGRES_MAJOR the version of a new cluster. LOGLEVEL and
/// other settings of the two services are passed on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  PUBLICPORT=9090 pt dev")]
pub struct Args {}

/// # Errors
///
/// A setting is wrong, a port is taken, a part does not start, or one ended by itself later. Everything that
/// was started is stopped by then.
pub async fn run(_args: Args) -> Result<(), Failure> {
    let settings = Settings::from_process()?;
    let stop = signals::stop()?;
    let mut stack = Stack::new(&settings).await?;
    let ended = tokio::select! {
        ended = run_until_one_dies(&mut stack, &settings) => ended,
        () = stop.cancelled() => Ok(()),
    };
    output::say("stopping");
    stack.stop().await;
    ended
}

async fn run_until_one_dies(stack: &mut Stack, settings: &Settings) -> Result<(), Failure> {
    let demo = stack.start(settings).await?;
    output::ready(settings, stack, &demo);
    Err(Failure::work(stack.death().await))
}
