//! `pt bench api`: fills a database, lets pt-api answer questions, and says how fast that went.

mod fill;
mod load;
mod mixed;
mod questions;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use self::load::Load;
use self::questions::Question;
use self::report::{Report, Route};
use super::database::Database;
use super::service::{Service, free_port};
use crate::cli::{Failure, signals, stdout};
use crate::config::{self, Environment};

/// Fills a database, lets pt-api answer questions on it, and says how fast that went
///
/// The database is its own, made on the PostgreSQL that the environment names and removed at the end: the
/// user must be allowed to create databases. The API is the pt-api beside this program, with the settings
/// of the environment.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pt bench api
  pt bench api --statuses 10000000 --clients 8 --json answered.json
  pt bench api --routes explain
  pt bench api --rate 500 --ingest 5000 --seconds 30")]
pub struct Args {
    /// Statuses in the database, five a payload
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(5..))]
    statuses: u64,
    /// Daily partitions they are spread over
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Clients that ask at once, for one measurement each
    #[arg(long, value_delimiter = ',', default_value = "1,8,64", value_parser = clap::value_parser!(u16).range(1..))]
    clients: Vec<u16>,
    /// How long each kind of question is asked, in seconds or parts of one
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: Duration,
    /// Only kinds of questions whose name has this in it
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    routes: String,
    /// Instead: so many requests a second, three fifths of them for one payload and the rest of all other
    /// kinds, while messages are stored
    #[arg(long, conflicts_with = "clients", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Messages a second that are stored meanwhile, from the Kafka of the environment
    #[arg(long, requires = "rate", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    ingest: u32,
    /// An empty topic for them that is there, instead of one made and deleted
    #[arg(long, requires = "rate")]
    topic: Option<String>,
    /// Write the numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok();
    let lasts = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    lasts
        .filter(|lasts| !lasts.is_zero())
        .ok_or("seconds are a number above 0, such as 5 or 0.5")
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let stop = signals::stop()?;
    let env = Environment::from_process().map_err(Failure::settings)?;
    let settings = config::Consumer::load(&env).map_err(Failure::settings)?;
    let database = Database::make(settings.database).await?;
    let measured = tokio::select! {
        measured = measure(&args, settings.kafka, &database) => measured,
        () = stop.cancelled() => Err(Failure::work("stopped")),
    };
    let removed = database.remove().await;
    let report = measured?;
    removed?;
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(stdout::print(report.to_string().trim_end())?)
}

async fn measure(
    args: &Args,
    kafka: config::Kafka,
    database: &Database,
) -> Result<Report, Failure> {
    let keys = fill::fill(database, args.statuses, args.days).await?;
    let port = free_port()?.to_string();
    let envs = [
        ("PUBLICPORT", port.as_str()),
        ("MAX_REQUESTS_PER_MINUTE", "0"),
        ("DATABASE_READ_URL", ""),
        ("REQUESTOR_IMPL", "mock"),
    ];
    let mut api = Service::start("pt-api", database, envs)?;
    api.ready().await?;
    let load = Load::new(format!("http://127.0.0.1:{port}/api/v1"), keys).await?;
    let mut report = Report {
        statuses: args.statuses,
        days: args.days,
        routes: Vec::new(),
        mixed: None,
        api: api.usage(),
    };
    match args.rate {
        Some(rate) => {
            report.mixed = Some(mixed::measure(args, rate, kafka, database, &load).await?)
        }
        None => report.routes = routes(args, &load).await?,
    }
    api.must_run()?;
    report.api = api.usage();
    api.stop().await?;
    Ok(report)
}

async fn routes(args: &Args, load: &Load) -> Result<Vec<Route>, Failure> {
    let lasts = args.seconds;
    let mut routes = Vec::new();
    let is_wanted = |question: &Question| question.name().contains(&args.routes);
    for question in Question::ALL.into_iter().filter(is_wanted) {
        for clients in &args.clients {
            let clients = usize::from(*clients);
            let met = load.closed(question, clients, lasts).await?;
            routes.push(Route {
                route: question.name(),
                clients,
                per_second: met.per_second(),
                bytes: met.mean_bytes(),
                errors: met.errors,
                latency: met.latency(),
            });
        }
    }
    Ok(routes)
}
