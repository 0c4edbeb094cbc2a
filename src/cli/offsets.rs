//! `pt offsets`: where each partition is read up to, and how to have it read from elsewhere.

mod goal;
mod list;
mod set;

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::sqlx::PgPool;
use tokio::task::spawn_blocking;

use super::Failure;
use crate::config::{Database, Environment, Kafka};
use crate::ingest::broker::{Broker, BrokerError};
use crate::ingest::start::LogState;
use crate::store::batch::Lane;
use crate::store::session::{self, Role};

/// Shows or sets where each partition is read up to
///
/// The offsets that count are in the database, beside the rows they belong to; those that the group has in
/// Kafka only follow.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pt offsets list")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Prints each partition's offsets and counters, what the log holds, and whether both fit.
    #[command(after_help = "Example:\n  pt offsets list")]
    List,
    Set(set::Args),
}

/// Where the offsets are.
struct Place {
    topic: String,
    broker: Arc<Broker>,
    pool: PgPool,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let env = Environment::from_process().map_err(Failure::settings)?;
    let kafka = Kafka::load(&env).map_err(Failure::settings)?;
    let database = Database::load(&env).map_err(Failure::settings)?;
    let db = session::connect(&database, Role::Tool);
    let pool = db.get_postgres_connection_pool().clone();
    session::choose_authority(&pool, &database, Role::Tool).await?;
    let place = Place {
        broker: Arc::new(Broker::new(&kafka)?),
        topic: kafka.topic,
        pool,
    };
    match args.action {
        Action::List => list::run(&place).await,
        Action::Set(args) => set::run(&place, args).await,
    }
}

impl Place {
    /// What Kafka knows of each partition of the topic.
    async fn logs(&self) -> Result<BTreeMap<Lane, LogState>, Failure> {
        let logs = self
            .ask(|broker| match broker.partitions()? {
                Some(lanes) => broker.logs(&lanes).map(Some),
                None => Ok(None),
            })
            .await?;
        logs.ok_or_else(|| Failure::work(format!("the topic {} does not exist", self.topic)))
    }

    /// Asks the broker, whose calls block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Broker) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, Failure> {
        let broker = Arc::clone(&self.broker);
        Ok(spawn_blocking(move || question(&broker)).await??)
    }
}
