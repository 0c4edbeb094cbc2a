//! `pt offsets set`.

use std::collections::BTreeMap;

use super::Place;
use super::goal::Goal;
use crate::cli::{Failure, stdout};
use crate::ingest::start::LogState;
use crate::store::batch::Lane;
use crate::store::offsets::{self, Move};

/// Has partitions read from elsewhere.
///
/// Back: messages that were read are read again, and the rows they made stay: each is there twice then. Forward:
/// messages are passed over, and counted as skipped. Consumers may run: what one of them has of such a partition
/// and has not written yet is dropped and read anew from the new offset, at its next batch or within 10 s.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  pt offsets set --partition 3 --to 2026-11-21T09:00:00Z --dry-run"
)]
pub(super) struct Args {
    /// A partition to set; may be given several times.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    partition: Vec<Lane>,
    /// Every partition of the topic.
    #[arg(long)]
    all: bool,
    /// earliest, latest, an offset that the log holds, or an RFC 3339 time: the first message that is not older.
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    to: Goal,
    /// Only says what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Does it; without it only what would be done is said.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

pub(super) async fn run(place: &Place, args: Args) -> Result<(), Failure> {
    let logs = chosen(place, &args).await?;
    let goals = goals(place, args.to, &logs).await?;
    let stored = offsets::stored(&place.pool, &place.topic).await?;
    if stored.is_empty() && !args.all {
        // One partition's offset makes the topic known, and the others' start their beginning.
        return Err(Failure::settings(format!(
            "no offset of {} is stored yet: set --all, or start a consumer first",
            place.topic
        )));
    }
    let mut is_anything_to_do = false;
    let mut plans = Vec::new();
    for (lane, to) in goals {
        let plan = Plan {
            lane,
            from: stored.get(&lane).copied(),
            to,
            log: logs[&lane],
        };
        is_anything_to_do |= plan.from != Some(to);
        if !args.yes {
            stdout::print(&format!("would set {}", plan.describe(plan.from)))?;
        }
        plans.push(plan);
    }
    if args.yes {
        for plan in plans {
            plan.carry_out(place).await?;
        }
    } else if is_anything_to_do && !args.dry_run {
        return Err(Failure::settings("nothing was changed: --yes does it"));
    }
    Ok(())
}

/// The logs of the partitions that are to be set.
async fn chosen(place: &Place, args: &Args) -> Result<BTreeMap<Lane, LogState>, Failure> {
    let mut logs = place.logs().await?;
    if let Some(unknown) = args.partition.iter().find(|lane| !logs.contains_key(lane)) {
        let last = logs.keys().next_back().copied().unwrap_or_default();
        return Err(Failure::settings(format!(
            "--partition {unknown}: {} has the partitions 0 to {last}",
            place.topic
        )));
    }
    logs.retain(|lane, _| args.all || args.partition.contains(lane));
    Ok(logs)
}

/// The offset that each partition is to be read from.
async fn goals(
    place: &Place,
    goal: Goal,
    logs: &BTreeMap<Lane, LogState>,
) -> Result<BTreeMap<Lane, i64>, Failure> {
    let at_time = match goal {
        Goal::Time(time) => {
            let lanes: Vec<Lane> = logs.keys().copied().collect();
            place
                .ask(move |broker| broker.offsets_at(&lanes, time))
                .await?
        }
        Goal::Earliest | Goal::Latest | Goal::Offset(_) => BTreeMap::new(),
    };
    let mut goals = BTreeMap::new();
    for (lane, log) in logs {
        let to = match goal {
            Goal::Earliest => log.low,
            Goal::Latest => log.high,
            Goal::Time(_) => at_time.get(lane).copied().unwrap_or(log.high),
            Goal::Offset(offset) if (log.low..=log.high).contains(&offset) => offset,
            Goal::Offset(offset) => {
                return Err(Failure::settings(format!(
                    "--to {offset}: the log of partition {lane} holds {} to {}",
                    log.low, log.high
                )));
            }
        };
        goals.insert(*lane, to);
    }
    Ok(goals)
}

/// What is to be done with a partition.
struct Plan {
    lane: Lane,
    /// Where it stood when that was decided.
    from: Option<i64>,
    to: i64,
    log: LogState,
}

impl Plan {
    /// Moves the partition from where it stands by now, unless it got there, or past it, by itself.
    async fn carry_out(&self, place: &Place) -> Result<(), Failure> {
        loop {
            let stored = offsets::stored(&place.pool, &place.topic).await?;
            let from = stored.get(&self.lane).copied();
            let was_ahead = self.from.is_none_or(|from| from < self.to);
            let done = match from {
                Some(from) if from == self.to || (was_ahead && from > self.to) => {
                    let line = format!("partition {} is at {from} already", self.lane);
                    return Ok(stdout::print(&line)?);
                }
                Some(from) => {
                    let step = Move {
                        lane: self.lane,
                        from,
                        to: self.to,
                        log_start: self.log.low,
                    };
                    let mut transaction = place.pool.begin().await?;
                    let done = offsets::relocate(&mut transaction, &place.topic, step).await?;
                    transaction.commit().await?;
                    done
                }
                None => self.begin(place).await?,
            };
            // Otherwise a consumer was faster: look again.
            if done {
                return Ok(stdout::print(&format!("set {}", self.describe(from)))?);
            }
        }
    }

    /// True if the partition had no offset until then.
    async fn begin(&self, place: &Place) -> Result<bool, Failure> {
        let mut transaction = place.pool.begin().await?;
        offsets::lock(&mut transaction, &place.topic).await?;
        let stored = offsets::stored(&mut *transaction, &place.topic).await?;
        if stored.contains_key(&self.lane) {
            return Ok(false);
        }
        let start = BTreeMap::from([(self.lane, self.to)]);
        offsets::insert(&mut transaction, &place.topic, &start).await?;
        transaction.commit().await?;
        Ok(true)
    }

    fn describe(&self, from: Option<i64>) -> String {
        let (lane, to, low) = (self.lane, self.to, self.log.low);
        let Some(from) = from else {
            return format!("partition {lane}: no offset -> {to}");
        };
        let step = Move {
            lane,
            from,
            to,
            log_start: low,
        };
        let consequence = match to - from {
            0 => "nothing to do".to_owned(),
            ..0 if from > self.log.high => {
                format!("the log ends at {}: it was made anew", self.log.high)
            }
            back @ ..0 => format!(
                "up to {} messages are read again; the rows they made stay, so these will be there twice",
                -back
            ),
            forward => match step.gap() {
                0 => format!("{forward} offsets are skipped unread"),
                gap => {
                    format!("{forward} offsets are skipped unread, {gap} of them gone from the log")
                }
            },
        };
        format!("partition {lane}: {from} -> {to} ({consequence})")
    }
}
