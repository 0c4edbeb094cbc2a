//! `pt fuse`: lanes that stopped because most of their messages were rejected.

use std::env;

use chrono::SecondsFormat;
use sea_orm::sqlx::PgPool;

use super::{Failure, stdout};
use crate::config::{Database, Environment, Kafka};
use crate::store::fuse::{self, Blown, Release};
use crate::store::session::{self, Role};

/// Lists partitions that stopped because most of their messages were rejected, and lets them go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pt fuse list && pt fuse release --partition 3")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Prints each partition whose fuse ever blew: when, why, and whether it is stopped now.
    #[command(after_help = "Example:\n  pt fuse list")]
    List,
    /// Lets stopped partitions go on where they stopped, each with an empty window.
    ///
    /// A running consumer notices within a few seconds. What was rejected stays rejected: see `pt rejects`.
    #[command(after_help = "Example:\n  pt fuse release --all --by alice")]
    Release {
        /// A partition to release; may be given several times.
        #[arg(long, required_unless_present = "all", conflicts_with = "all")]
        partition: Vec<i32>,
        /// Every partition of the topic.
        #[arg(long)]
        all: bool,
        /// Who does it, for the record [default: $USER].
        #[arg(long)]
        by: Option<String>,
    },
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let env = Environment::from_process().map_err(Failure::settings)?;
    let topic = Kafka::load(&env).map_err(Failure::settings)?.topic;
    let database = Database::load(&env).map_err(Failure::settings)?;
    let db = session::connect(&database, Role::Tool);
    let pool = db.get_postgres_connection_pool();
    session::choose_authority(pool, &database, Role::Tool).await?;
    match args.action {
        Action::List => list(pool, &topic).await,
        Action::Release { partition, by, .. } => {
            let by = by.or_else(|| env::var("USER").ok());
            let release = Release {
                lanes: &partition,
                by: by.as_deref().unwrap_or("unknown"),
            };
            let released = fuse::release(pool, &topic, &release).await?;
            let stopped = partition.iter().find(|lane| !released.contains(lane));
            if let Some(lane) = stopped {
                return Err(Failure::work(format!(
                    "partition {lane} of {topic} is not stopped (`pt fuse list`); released: {released:?}"
                )));
            }
            Ok(stdout::print(&format!(
                "released {} partitions of {topic}: {released:?}",
                released.len()
            ))?)
        }
    }
}

async fn list(pool: &PgPool, topic: &str) -> Result<(), Failure> {
    let fuses = fuse::list(pool, topic).await?;
    if fuses.is_empty() {
        return Ok(stdout::print(&format!("no fuse of {topic} ever blew"))?);
    }
    let lines: Vec<String> = fuses.iter().map(line).collect();
    Ok(stdout::print(&lines.join("\n"))?)
}

fn line(fuse: &Blown) -> String {
    let time = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = match (&fuse.released_at, fuse.is_blown) {
        (_, true) => format!("stopped until {}", time(fuse.until)),
        (Some(at), _) => format!(
            "released {} by {}",
            time(*at),
            fuse.released_by.as_deref().unwrap_or("unknown")
        ),
        (None, _) => format!("went on by itself {}", time(fuse.until)),
    };
    format!(
        "partition {}: blew {}, {state}; {}",
        fuse.partition,
        time(fuse.blown_at),
        fuse.detail
    )
}
