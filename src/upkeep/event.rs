//! What upkeep did, for logs, metrics and `pt retention`.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

/// The parts of a round. Each is done whether or not another failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// What a crash left between detaching and dropping.
    Leftovers,
    /// Partitions of today and the next days.
    Ahead,
    /// Partitions that have expired.
    Partitions,
    Payloads,
    Rejects,
    /// The hourly counts of producers.
    Hours,
    /// What explain and failures answer from.
    Learnt,
}

impl Task {
    /// In the order of a round.
    pub const ALL: [Self; 7] = [
        Self::Leftovers,
        Self::Ahead,
        Self::Partitions,
        Self::Payloads,
        Self::Rejects,
        Self::Hours,
        Self::Learnt,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leftovers => "leftovers",
            Self::Ahead => "ahead",
            Self::Partitions => "partitions",
            Self::Payloads => "payloads",
            Self::Rejects => "rejects",
            Self::Hours => "hours",
            Self::Learnt => "learnt",
        }
    }
}

/// Tables whose rows go in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Payloads,
    PayloadIds,
    Rejects,
    Redrives,
    ProducerHours,
    RejectHours,
    LearntHours,
    StepHours,
    FollowerHours,
    FailureHours,
    FailureCounts,
    FailureMinutes,
    Failures,
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Self::Payloads => "payloads",
            Self::PayloadIds => "payload_ids",
            Self::Rejects => "rejects",
            Self::Redrives => "redrives",
            Self::ProducerHours => "producer_hours",
            Self::RejectHours => "reject_hours",
            Self::LearntHours => "learnt_hours",
            Self::StepHours => "step_hours",
            Self::FollowerHours => "follower_hours",
            Self::FailureHours => "failure_hours",
            Self::FailureCounts => "failure_counts",
            Self::FailureMinutes => "failure_minutes",
            Self::Failures => "failures",
        }
    }
}

/// One step of a walk, or several of them added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    pub table: Table,
    pub rows: u64,
    /// Rows of another table that went with them.
    pub dependents: Option<(Table, u64)>,
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of {}", self.rows, self.table.name())?;
        if let Some((table, rows)) = self.dependents {
            write!(f, " and {rows} of {}", table.name())?;
        }
        Ok(())
    }
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The lock is held.
    Began,
    /// Where partitions begin and end, once those ahead are made and the expired are gone.
    Span {
        oldest: Option<DateTime<Utc>>,
        newest: Option<DateTime<Utc>>,
    },
    /// Somebody made a default partition, whose rows do not expire.
    Default {
        name: String,
    },
    Made {
        day: NaiveDate,
    },
    /// The default partition holds rows of that day.
    Covered {
        day: NaiveDate,
    },
    /// A partition that has expired could not be dropped; the others are.
    Refused {
        name: String,
        error: String,
    },
    /// A table is in the way of a statement, which is tried again.
    Busy {
        name: String,
        error: String,
    },
    Detached {
        name: String,
        took: Duration,
    },
    /// With the server's estimate of its rows.
    Dropped {
        name: String,
        rows: i64,
    },
    /// One step; `held` is how long it held its locks.
    Step {
        deleted: Deleted,
        held: Duration,
    },
    /// A step was ended by the server for taking too long; the next are smaller.
    Slow {
        table: Table,
        rows: usize,
    },
    /// All steps of a walk.
    Walked {
        deleted: Deleted,
        steps: u64,
        longest: Duration,
        took: Duration,
    },
    Failed {
        task: Task,
        error: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |duration: &Duration| duration.as_millis();
        match self {
            Self::Began => f.write_str("upkeep begins"),
            Self::Span { oldest, newest } => {
                let text = |bound: &Option<DateTime<Utc>>| match bound {
                    Some(bound) => bound.format("%Y-%m-%d %H:%M").to_string(),
                    None => "(none)".into(),
                };
                write!(
                    f,
                    "partitions from {} to {} UTC",
                    text(oldest),
                    text(newest)
                )
            }
            Self::Default { name } => {
                write!(f, "{name} is a default partition: its rows do not expire")
            }
            Self::Made { day } => write!(f, "made the partition of {day}"),
            Self::Covered { day } => {
                write!(
                    f,
                    "the default partition holds rows of {day}, no partition made"
                )
            }
            Self::Refused { name, error } => write!(f, "{name} could not be dropped: {error}"),
            Self::Busy { name, error } => write!(f, "{name} is in use, trying again: {error}"),
            Self::Detached { name, took } => write!(f, "detached {name} in {} ms", millis(took)),
            Self::Dropped { name, rows } => write!(f, "dropped {name} (about {rows} rows)"),
            Self::Step { deleted, held } => write!(f, "deleted {deleted} in {} ms", millis(held)),
            Self::Slow { table, rows } => write!(
                f,
                "a step over {rows} rows of {} was ended for taking too long, going on smaller",
                table.name()
            ),
            Self::Walked {
                deleted,
                steps,
                longest,
                took,
            } => write!(
                f,
                "deleted {deleted} in all, {steps} steps, the longest {} ms, {} ms with pauses",
                millis(longest),
                millis(took)
            ),
            Self::Failed { task, error } => write!(f, "{} failed: {error}", task.as_str()),
        }
    }
}
