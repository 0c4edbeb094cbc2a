//! What `pt-consumer` and `pt-api` do around their work: settings, logs, signals, exit code.

use std::error::Error;
use std::process::ExitCode;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{Failure, signals, stdout};
use crate::config::{ConfigError, Environment, Log};
use crate::telemetry::logs;

/// The flags of a service.
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// Print the settings in force and where each came from, secrets hidden, and exit
    #[arg(long)]
    check_config: bool,
}

/// Runs a service until SIGTERM or SIGINT, and answers 0; 2 where a setting is wrong, and 1 where
/// the work ended early, each with one line that says why.
pub fn run<S, E: Error + Send + Sync + 'static>(
    name: &'static str,
    args: ServiceArgs,
    load: impl FnOnce(&Environment) -> Result<S, ConfigError>,
    serve: impl AsyncFnOnce(S, CancellationToken) -> Result<(), E>,
) -> ExitCode {
    let loaded = Environment::from_process()
        .and_then(|env| Ok((load(&env)?, Log::load(&env)?, env.report())));
    let (settings, log, report) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            let failure = Failure::settings(error);
            eprintln!("{name}: {failure}");
            return failure.exit_code();
        }
    };
    if args.check_config {
        stdout::print(report.trim_end()).ok();
        return ExitCode::SUCCESS;
    }
    let ended = logs::init(&log, name)
        .map_err(Failure::settings)
        .and_then(|()| run_until_signal(|stop| serve(settings, stop)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit_code()
        }
    }
}

fn run_until_signal<E: Error + Send + Sync + 'static>(
    serve: impl AsyncFnOnce(CancellationToken) -> Result<(), E>,
) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(async {
        let stop = signals::stop()?;
        serve(stop).await.map_err(Failure::work)
    });
    // Not dropped: that would wait for questions to a broker or a resolver that does not answer.
    runtime.shutdown_background();
    ended
}
