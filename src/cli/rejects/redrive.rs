use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::ArgGroup;
use sea_orm::DatabaseConnection;

use super::{filter, instant};
use crate::cli::text::Text;
use crate::cli::{Failure, stdout};
use crate::config::{self, Environment, Ingest};
use crate::status::Reason;
use crate::store::redrive::{self, Chunks, Outcome, Redriver, Selection};

/// How many of those that were not stored are named when many are redriven.
const NAMED: usize = 20;

/// Sends rejects through once more, by today's settings
///
/// Each goes through the consumer's own validation and statements, in one transaction with its reject, and
/// leaves a record of who did it, when, and with which edit. What is rejected again stays a
/// reject. Set REQUIRED_FIELDS and the others as for pt-consumer.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("which").required(true).multiple(true)
        .args(["ids", "reason", "service", "since", "until"]),
    after_help = "\
Examples:
  pt rejects redrive 17 18
  pt rejects redrive --service inventory-mq-service --reason missing_field --since 7d --dry-run
  pt rejects show 17 --value > 17.json && vi 17.json && pt rejects redrive 17 --edit 17.json

The exit code is 0 only when each of them is a status now. It may be interrupted, and run again."
)]
pub struct Args {
    /// Ids of rejects, as pt rejects list has them
    #[arg(conflicts_with_all = ["reason", "service", "since", "until"])]
    ids: Vec<i64>,
    /// All that were rejected for this reason, such as missing_field
    #[arg(long, value_parser = filter::reason)]
    reason: Option<Reason>,
    /// All that name this service
    #[arg(long, value_parser = filter::service)]
    service: Option<String>,
    /// All rejected since then: 24h ago, 7d ago, or a time in RFC 3339
    #[arg(long, value_parser = filter::moment)]
    since: Option<DateTime<Utc>>,
    /// All rejected before then
    #[arg(long, value_parser = filter::moment)]
    until: Option<DateTime<Utc>>,
    /// A file with the message to store instead, for a single id; - is stdin
    #[arg(long, value_name = "FILE")]
    edit: Option<PathBuf>,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Who does it, for the record [default: $USER]
    #[arg(long)]
    by: Option<String>,
}

pub async fn run(
    args: Args,
    db: &DatabaseConnection,
    environment: &Environment,
) -> Result<(), Failure> {
    let edited = args.edited()?;
    let by = args.by.clone().or_else(|| env::var("USER").ok());
    let redriver = Redriver {
        pool: db.get_postgres_connection_pool().clone(),
        rules: config::rules(environment).map_err(Failure::settings)?,
        max_names: Ingest::load(environment)
            .map_err(Failure::settings)?
            .max_names,
        by: by.unwrap_or_else(|| "unknown".to_owned()),
    };
    let chunks = args.chunks(&redriver).await?;
    let mut tally = Tally::new(&args, chunks.total());
    for chunk in chunks {
        let outcomes = if args.dry_run {
            redriver.foretell(&chunk, edited.as_deref()).await
        } else {
            redriver.redrive(&chunk, edited.as_deref()).await
        };
        match outcomes {
            Ok(outcomes) => tally.add(outcomes)?,
            Err(error) => {
                stdout::print(&tally.summary())?;
                return Err(error.into());
            }
        }
    }
    stdout::print(&tally.summary())?;
    tally.end()
}

impl Args {
    fn edited(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = &self.edit else {
            return Ok(None);
        };
        if self.ids.len() != 1 {
            return Err(Failure::settings(
                "--edit takes the place of one message: give one id",
            ));
        }
        let mut bytes = Vec::new();
        let read = if file == Path::new("-") {
            stdin().lock().read_to_end(&mut bytes).map(drop)
        } else {
            fs::read(file).map(|read| bytes = read)
        };
        read.map_err(|error| {
            Failure::settings(format!("cannot read {}: {error}", file.display()))
        })?;
        Ok(Some(bytes))
    }

    async fn chunks(&self, redriver: &Redriver) -> Result<Chunks, Failure> {
        let pool = &redriver.pool;
        if !self.ids.is_empty() {
            let each_once: BTreeSet<i64> = self.ids.iter().copied().collect();
            let ids: Vec<i64> = each_once.into_iter().collect();
            return Ok(redrive::select_ids(pool, &ids).await?);
        }
        let selection = Selection {
            reason: self.reason,
            service: self.service.clone(),
            since: self.since,
            until: self.until,
        };
        Ok(redrive::select(pool, &selection).await?)
    }
}

/// What became of them so far.
struct Tally {
    dry_run: bool,
    total: usize,
    /// Ids were given, so that each is answered for.
    one_by_one: bool,
    stored: usize,
    rejected: BTreeMap<Reason, usize>,
    already: usize,
    gone: usize,
}

impl Tally {
    fn new(args: &Args, total: usize) -> Self {
        Self {
            dry_run: args.dry_run,
            total,
            one_by_one: !args.ids.is_empty(),
            stored: 0,
            rejected: BTreeMap::new(),
            already: 0,
            gone: 0,
        }
    }

    fn add(&mut self, outcomes: Vec<(i64, Outcome)>) -> Result<(), Failure> {
        for (id, outcome) in outcomes {
            let is_stored = outcome == Outcome::Stored;
            if self.one_by_one || (!is_stored && self.failed() < NAMED) {
                stdout::print(&self.told(id, &outcome))?;
            }
            match outcome {
                Outcome::Stored => self.stored += 1,
                Outcome::Rejected(reject) => *self.rejected.entry(reject.reason).or_default() += 1,
                Outcome::AlreadyRedriven(_) => self.already += 1,
                Outcome::Gone => self.gone += 1,
            }
        }
        Ok(())
    }

    fn told(&self, id: i64, outcome: &Outcome) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        match outcome {
            Outcome::Stored => format!("{id}: {would}stored"),
            Outcome::Rejected(reject) => {
                let detail = Text::new(&reject.detail);
                format!("{id}: {would}rejected again, {}: {detail}", reject.reason)
            }
            Outcome::AlreadyRedriven(at) => {
                format!("{id}: refused, it was redriven at {} already", instant(*at))
            }
            Outcome::Gone => format!("{id}: there is no such reject; they are kept for 30 days"),
        }
    }

    fn failed(&self) -> usize {
        self.rejected.values().sum::<usize>() + self.already + self.gone
    }

    fn summary(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let mut text = format!("{} of {} {would}stored", self.stored, self.total);
        for (reason, count) in &self.rejected {
            text += &format!(", {count} {would}rejected again ({reason})");
        }
        if self.already > 0 {
            text += &format!(", {} redriven already", self.already);
        }
        if self.gone > 0 {
            text += &format!(", {} not found", self.gone);
        }
        text
    }

    fn end(&self) -> Result<(), Failure> {
        match self.failed() {
            failed if failed > 0 && !self.dry_run => Err(Failure::work(format!(
                "{failed} of {} were not stored",
                self.total
            ))),
            _ => Ok(()),
        }
    }
}
