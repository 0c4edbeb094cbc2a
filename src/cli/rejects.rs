//! `pt rejects`: messages that did not become statuses, and their second chance.

mod filter;
mod list;
mod redrive;
mod show;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Failure;
use crate::config::{Database, Environment};
use crate::store::session::{self, Role};

/// Finds, shows and redrives messages that were rejected.
///
/// The database is the one that DATABASE_URL or DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD
/// name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pt rejects list --service inventory-mq-service --since 24h
  pt rejects show 17
  pt rejects redrive --reason missing_field --since 7d --dry-run")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(list::Args),
    Show(show::Args),
    Redrive(redrive::Args),
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let environment = Environment::from_process().map_err(Failure::settings)?;
    let database = Database::load(&environment).map_err(Failure::settings)?;
    let db = session::connect(&database, Role::Tool);
    session::choose_authority(db.get_postgres_connection_pool(), &database, Role::Tool).await?;
    match args.action {
        Action::List(args) => list::run(args, &db).await,
        Action::Show(args) => show::run(args, &db).await,
        Action::Redrive(args) => redrive::run(args, &db, &environment).await,
    }
}

/// An instant on one line.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
