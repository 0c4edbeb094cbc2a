use super::{Failure, stdout};
use crate::config::{Database, Environment, Retention};
use crate::upkeep::preview::Preview;
use crate::upkeep::{Event, Outcome, Round};

/// Makes partitions of the days ahead and removes what has expired, as pt-consumer does each hour.
///
/// RETENTION_DAYS and REJECT_RETENTION_DAYS say what has expired; give the values that pt-consumer
/// has.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("mode").required(true)),
    after_help = "Example:\n  RETENTION_DAYS=14 pt retention --dry-run"
)]
pub struct Args {
    /// Print what would be made and what would go, and change nothing.
    #[arg(long, group = "mode")]
    dry_run: bool,
    /// Do it now, and print each step. Ends with exit code 1 where a pt-consumer is at it.
    #[arg(long, group = "mode")]
    now: bool,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let (database, retention) = Environment::from_process()
        .and_then(|env| Ok((Database::load(&env)?, Retention::load(&env)?)))
        .map_err(Failure::settings)?;
    if args.dry_run {
        let preview = Preview::read(&database, &retention).await?;
        stdout::print(preview.to_string().trim_end())?;
        return Ok(());
    }
    // A closed pipe behind it must not end it half-way.
    let mut tell = |event: Event| {
        stdout::print(&event.to_string()).ok();
    };
    match Round::run(&database, &retention, &mut tell).await? {
        Outcome::Done => Ok(()),
        Outcome::Elsewhere => Err(Failure::work(
            "a pt-consumer, or another pt, is at it now: its steps are in its log",
        )),
    }
}
