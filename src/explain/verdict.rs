//! The verdict on a payload: the first rule that holds.

use chrono::{DateTime, TimeDelta, Utc};

use super::expectation::{Awaited, Expectation, expectations};
use super::path::{Class, Path, Stay, Step};
use super::statistics::Statistics;

/// How long nothing has to happen for nothing to be known any more.
pub const QUIET: TimeDelta = TimeDelta::hours(24);

/// What is to be said of a payload. The first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A step's class is failure.
    Failed,
    /// A step in progress, or a due follower, is past its p95.
    Stuck,
    /// Every step's class is success and nothing is due; and where too few payloads were at a step to
    /// know what is, more than one service has spoken.
    Succeeded,
    /// Nothing happened for [`QUIET`].
    Unknown,
    /// Everything else.
    InProgress,
}

/// A verdict with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// The step the payload is at: failed, the one that failed last; stuck, the one that does not
    /// end or the one after which it was to go on; else the one that spoke last. None without
    /// statuses.
    pub at: Option<Step>,
    /// Stuck: the step it was to enter, if it is not the step it is at that does not end.
    pub before: Option<Step>,
    /// Since when: failed, the failure; stuck, since when it is waited; else the step's last status,
    /// in progress its first.
    pub since: DateTime<Utc>,
    /// What is still to come, the earliest first; nothing once it failed.
    pub expected: Vec<Expectation>,
}

impl Finding {
    /// `created_at`: when the payload was first seen, for one without statuses.
    pub fn of(
        path: &Path,
        created_at: DateTime<Utc>,
        statistics: &Statistics,
        now: DateTime<Utc>,
    ) -> Self {
        if let Some(failed) = last_failure(path) {
            return Self {
                verdict: Verdict::Failed,
                at: Some(failed.step()),
                before: None,
                since: failed.left(),
                expected: Vec::new(),
            };
        }
        let expected = expectations(path, statistics);
        let overdue = expected.iter().find(|one| one.overdue(now).is_some());
        if let Some(overdue) = overdue.copied() {
            return Self::stuck(overdue, created_at, expected);
        }
        let latest = path.latest();
        let last = latest.map_or(created_at, Stay::left);
        let verdict = if is_success(path, statistics, &expected) {
            Verdict::Succeeded
        } else if now - last >= QUIET {
            Verdict::Unknown
        } else {
            Verdict::InProgress
        };
        let since = match (verdict, latest) {
            (Verdict::InProgress, Some(stay)) if stay.class() == Class::Progress => stay.entered(),
            _ => last,
        };
        Self {
            verdict,
            at: latest.map(Stay::step),
            before: None,
            since,
            expected,
        }
    }

    fn stuck(overdue: Expectation, created_at: DateTime<Utc>, expected: Vec<Expectation>) -> Self {
        let (at, before) = match overdue.awaited {
            Awaited::End(step) => (step, None),
            Awaited::Follower { after, step } => (after, Some(step)),
        };
        Self {
            verdict: Verdict::Stuck,
            at: Some(at),
            before,
            since: overdue.since.unwrap_or(created_at),
            expected,
        }
    }
}

fn last_failure(path: &Path) -> Option<&Stay> {
    let failed = path
        .stays()
        .iter()
        .filter(|stay| stay.class() == Class::Failure);
    failed.max_by_key(|stay| (stay.last.date, stay.last.id))
}

fn is_success(path: &Path, statistics: &Statistics, expected: &[Expectation]) -> bool {
    let stays = path.stays();
    let Some(first) = stays.first() else {
        return false;
    };
    let ended = stays.iter().all(|stay| stay.class() == Class::Success);
    let known = stays.iter().all(|stay| statistics.knows(stay.step()));
    let several = stays
        .iter()
        .any(|stay| stay.step().service != first.step().service);
    ended && expected.is_empty() && (known || several)
}

#[cfg(test)]
pub mod tests;
