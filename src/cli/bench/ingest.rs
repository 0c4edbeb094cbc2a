//! `pt bench ingest`: fills a topic, lets pt-consumer drain it, and says how that went.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tokio::time::sleep;

use super::database::Database;
use super::fleet::Fleet;
use super::report::{Drain, Report, Rows};
use super::topic::Topic;
use super::traffic::{self, Sent};
use super::{copy, older, process, steady};
use crate::cli::{Failure, signals, stdout};
use crate::config::{self, Environment};
use crate::store::offsets;

/// How often the stored offsets are compared with what was sent.
const LOOK: Duration = Duration::from_millis(20);

/// When to give up.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Fills a topic, lets pt-consumer drain it into a database, and says how fast that went
///
/// Topic and database are its own, made on the Kafka and the PostgreSQL that the environment names and
/// removed at the end: the user must be allowed to create databases. The consumer is the pt-consumer
/// beside this program, with the settings of the environment.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pt bench ingest
  pt bench ingest --payloads 20000000 --json drained.json
  pt bench ingest --rate 500 --seconds 60")]
pub struct Args {
    /// Messages in the topic before the consumer starts
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Consumers that share the topic's partitions
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    consumers: u16,
    /// Send all statuses of a payload to one partition, where services spread them
    #[arg(long)]
    keyed: bool,
    /// Older payloads that are in the database already
    #[arg(long, default_value_t = 0)]
    payloads: u64,
    /// Instead of a backlog: messages a second while the consumer runs
    #[arg(long, conflicts_with = "messages", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How long at that rate
    #[arg(long, requires = "rate", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Partitions of the topic
    #[arg(long, default_value_t = 20, conflicts_with = "topic", value_parser = clap::value_parser!(u16).range(1..))]
    partitions: u16,
    /// An empty topic that is there, instead of one made and deleted
    #[arg(long)]
    topic: Option<String>,
    /// Write the numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let stop = signals::stop()?;
    let env = Environment::from_process().map_err(Failure::settings)?;
    let settings = config::Consumer::load(&env).map_err(Failure::settings)?;
    let topic = Topic::make(settings.kafka, args.topic.as_deref(), args.partitions).await?;
    let measured = async {
        let database = Database::make(settings.database).await?;
        let measured = tokio::select! {
            measured = measure(&args, &topic, &database) => measured,
            () = stop.cancelled() => Err(Failure::work("stopped")),
        };
        let removed = database.remove().await;
        measured.and_then(|report| removed.map(|()| report))
    };
    let measured = measured.await;
    topic.remove().await;
    let report = measured?;
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(stdout::print(report.to_string().trim_end())?)
}

async fn measure(args: &Args, topic: &Topic, database: &Database) -> Result<Report, Failure> {
    let mut report = Report {
        topic: topic.kafka.topic.clone(),
        database: database.config.name.clone(),
        consumers: args.consumers,
        keyed: args.keyed,
        older_payloads: args.payloads,
        partitions: topic.partitions,
        ..Report::default()
    };
    if args.payloads > 0 {
        older::fill(database, args.payloads).await?;
    }
    if let Some(rate) = args.rate {
        let plan = steady::Plan {
            rate,
            lasts: Duration::from_secs(args.seconds),
            keyed: args.keyed,
            consumers: args.consumers,
        };
        report.steady = Some(steady::measure(plan, topic, database).await?);
        return Ok(report);
    }
    let sent = block_in_place(|| traffic::fill(&topic.kafka, args.messages, args.keyed))?;
    report.drain = Some(drain(args, sent, topic, database).await?);
    // The same rows into tables that are as empty as they were.
    if args.payloads == 0 {
        report.copy = Some(copy::again(database).await?);
    }
    Ok(report)
}

/// From the consumers' start to their last row.
async fn drain(
    args: &Args,
    sent: Sent,
    topic: &Topic,
    database: &Database,
) -> Result<Drain, Failure> {
    database.settle().await?;
    let before = database.rows().await?;
    let server = process::Server::of(database).await?;
    let spent_before = server.as_ref().map(process::Server::cpu);
    let begun = Instant::now();
    let mut fleet = Fleet::start(args.consumers, topic, database)?;
    wait_until_stored(sent.messages, &mut fleet, topic, database).await?;
    let taken = begun.elapsed();
    let usage = fleet.usage();
    let spent = server.as_ref().map(process::Server::cpu);
    let scrape = fleet.scrape().await?;
    fleet.stop().await?;
    let rows = database.rows().await?.minus(&before);
    if rows.payload_statuses != sent.messages as i64 {
        return Err(Failure::work(format!(
            "{} of {} messages became statuses, the others rejects: do settings of the environment refuse them?",
            rows.payload_statuses, sent.messages
        )));
    }
    Ok(Drain {
        messages: sent.messages,
        bytes: sent.bytes,
        seconds: taken.as_secs_f64(),
        rows,
        batches: scrape.batches(),
        stages: scrape.stages(),
        writers: args.consumers,
        consumer: usage,
        server_cpu: spent
            .zip(spent_before)
            .map(|(after, before)| after - before),
    })
}

async fn wait_until_stored(
    messages: u64,
    fleet: &mut Fleet,
    topic: &Topic,
    database: &Database,
) -> Result<(), Failure> {
    let mut stored = 0;
    let mut moved = Instant::now();
    while stored < messages as i64 {
        sleep(LOOK).await;
        fleet.must_run()?;
        let offsets = offsets::stored(&database.pool, &topic.kafka.topic).await?;
        let now = offsets.values().sum();
        if now > stored {
            stored = now;
            moved = Instant::now();
        } else if moved.elapsed() > STANDSTILL {
            return Err(Failure::work(format!(
                "nothing was stored for {} s, after {stored} of {messages} messages",
                STANDSTILL.as_secs()
            )));
        }
    }
    Ok(())
}

impl Rows {
    fn minus(&self, before: &Self) -> Self {
        Self {
            payloads: self.payloads - before.payloads,
            payload_ids: self.payload_ids - before.payload_ids,
            payload_statuses: self.payload_statuses - before.payload_statuses,
        }
    }
}
