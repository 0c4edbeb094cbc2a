use sea_orm::DatabaseConnection;

use super::{Failure, stdout};
use crate::config;
use crate::store::migrate::{self, DropRejects, Progress, State};
use crate::store::session::{Role, choose_authority, connect};

/// Brings the database's schema up, down, or tells where it stands.
///
/// The database is the one that DATABASE_URL or DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD
/// name. A Go tracker's database is taken over in place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  DB_HOST=db.example.com DB_PASSWORD=secret pt migrate up")]
pub struct Args {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Debug, clap::Subcommand)]
enum Direction {
    /// Applies what is missing; may be interrupted and run again, beside readers and writers.
    #[command(after_help = "Example:\n  pt migrate up")]
    Up,
    /// Gives the Go tracker its database back and forgets the stored offsets.
    ///
    /// Stop pt-consumer and pt-api first. Payloads and statuses stay; host ids but each payload's
    /// last ones, and where a status came from, are lost.
    #[command(after_help = "Example:\n  pt migrate down --drop-rejects")]
    Down {
        /// Lose the stored rejects; without it, none may be stored.
        #[arg(long)]
        drop_rejects: bool,
    },
    /// Prints whose database it is, and which migrations it has had.
    #[command(after_help = "Example:\n  pt migrate status")]
    Status,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let db = open().await?;
    let outcome = args.direction.run(&db).await;
    db.close().await?;
    outcome
}

async fn open() -> Result<DatabaseConnection, Failure> {
    let database = config::Environment::from_process()
        .and_then(|environment| config::Database::load(&environment))
        .map_err(Failure::settings)?;
    let db = connect(&database, Role::Migrate);
    let pool = db.get_postgres_connection_pool();
    // What stands in its way the first session meets too, and says better.
    choose_authority(pool, &database, Role::Migrate).await.ok();
    Ok(db)
}

impl Direction {
    async fn run(self, db: &DatabaseConnection) -> Result<(), Failure> {
        let progress = Progress::new(say);
        match self {
            Self::Up => {
                let applied = migrate::up_telling(db, progress).await?;
                summarise(&applied, "applied");
            }
            Self::Down { drop_rejects } => {
                let rejects = if drop_rejects {
                    DropRejects::Yes
                } else {
                    DropRejects::No
                };
                let undone = migrate::down_telling(db, rejects, progress).await?;
                summarise(&undone, "undone");
            }
            Self::Status => say(describe(&migrate::status(db).await?).trim_end()),
        }
        Ok(())
    }
}

/// A closed pipe behind `pt migrate up | head` must not end a migration half-way.
fn say(line: &str) {
    stdout::print(line).ok();
}

fn summarise(steps: &[String], done: &str) {
    match steps.len() {
        0 => say("nothing to do"),
        1 => say(&format!("1 migration {done}")),
        count => say(&format!("{count} migrations {done}")),
    }
}

fn describe(state: &State) -> String {
    match state {
        State::Empty => {
            "None of our tables is in this database: pt migrate up makes them.\n".to_owned()
        }
        State::GoTracker => {
            "This is a Go tracker's database: pt migrate up takes it over in place.\n".to_owned()
        }
        State::Ours { applied, pending } => {
            let applied = applied.iter().map(|step| format!("applied  {step}\n"));
            let pending = pending.iter().map(|step| format!("pending  {step}\n"));
            applied.chain(pending).collect()
        }
    }
}
