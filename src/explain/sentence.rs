//! A finding in one sentence.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::expectation::Awaited;
use super::path::{Path, Step};
use super::verdict::{Finding, Verdict};

/// Characters of a message that a sentence quotes.
const MOST_QUOTED: usize = 200;

/// What a sentence is made from.
pub struct Telling<'a, N: Fn(Step) -> String> {
    pub finding: &'a Finding,
    pub path: &'a Path,
    pub now: DateTime<Utc>,
    /// How a step is called.
    pub name: N,
    /// What the failing step said.
    pub message: Option<&'a str>,
}

impl<N: Fn(Step) -> String> Telling<'_, N> {
    /// One sentence, without a full stop within but in the message that it quotes.
    pub fn sentence(&self) -> String {
        let since = moment(self.finding.since);
        match (self.finding.verdict, self.finding.at) {
            (_, None) => format!("Nothing was said of it since {since}."),
            (Verdict::Failed, Some(at)) => self.failed(at, &since),
            (Verdict::Stuck, Some(at)) => self.stuck(at, &since),
            (Verdict::Succeeded, Some(at)) => format!(
                "It succeeded: {} was the last of {} to say so, at {since}, {} after the first status.",
                (self.name)(at),
                count(self.path.stays().len(), "step"),
                length(self.whole()),
            ),
            (Verdict::Unknown, Some(at)) => format!(
                "Nothing is known of it: {} was the last to speak, at {since}, {} ago.",
                (self.name)(at),
                length(self.now - self.finding.since),
            ),
            (Verdict::InProgress, Some(at)) => self.in_progress(at, &since),
        }
    }

    /// From the first status to the last.
    fn whole(&self) -> TimeDelta {
        let first = self.path.stays().first().map(|stay| stay.entered());
        let last = self.path.latest().map(|stay| stay.left());
        last.zip(first)
            .map_or(TimeDelta::zero(), |(last, first)| last - first)
    }

    fn failed(&self, at: Step, since: &str) -> String {
        let mut sentence = format!("It failed at {} at {since}", (self.name)(at));
        match self.message.and_then(first_line) {
            Some(message) => {
                let _ = write!(sentence, ": {message}");
            }
            None => sentence.push_str(", which did not say why."),
        }
        sentence
    }

    fn stuck(&self, at: Step, since: &str) -> String {
        let name = (self.name)(at);
        let overdue = self.finding.expected.iter().find_map(|one| {
            let overdue = one.overdue(self.now)?;
            Some((one.usual.p95, overdue))
        });
        let (p95, overdue) = overdue.unwrap_or_default();
        let (p95, overdue) = (length(p95), length(overdue));
        match self.finding.before {
            None => format!(
                "It is stuck in {name} since {since}: 95 % end there within {p95}, it is {overdue} past that."
            ),
            Some(next) => format!(
                "It is stuck before {}: it left {name} at {since}, 95 % go on within {p95}, it is {overdue} past that.",
                (self.name)(next),
            ),
        }
    }

    fn in_progress(&self, at: Step, since: &str) -> String {
        let mut sentence = format!("It is in progress, at {} since {since}", (self.name)(at));
        if let Some((next, by)) = self.finding.expected.first().map(|one| (one, one.by())) {
            let _ = match next.awaited {
                Awaited::End(step) => write!(sentence, "; {} is to end", (self.name)(step)),
                Awaited::Follower { step, .. } => {
                    write!(sentence, "; {} is next", (self.name)(step))
                }
            };
            if let Some(by) = by {
                let _ = write!(sentence, ", by {} in 95 % of cases", moment(by));
            }
        }
        sentence.push('.');
        sentence
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn count(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// Of a traceback the last line says what happened, of everything else the first.
fn first_line(message: &str) -> Option<String> {
    let mut lines = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let first = lines.next()?;
    let line = match first.starts_with("Traceback ") {
        true => lines.next_back().unwrap_or(first),
        false => first,
    };
    let mut quoted: String = line.chars().take(MOST_QUOTED).collect();
    if quoted.len() < line.len() {
        quoted.push('…');
    }
    Some(quoted)
}

/// A length of time with the two largest of its units.
fn length(length: TimeDelta) -> String {
    let millis = length.num_milliseconds().max(0);
    let seconds = millis / 1_000;
    let two = |n: i64, large: &str, rest: i64, small: &str| match rest {
        0 => format!("{n} {large}"),
        rest => format!("{n} {large} {rest} {small}"),
    };
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::path::Class;
    use crate::explain::verdict::tests::{at, pipeline, status};

    fn told(said: &[(i32, Class, i64)], now: i64, message: Option<&str>) -> String {
        let status = |(id, (service, class, second)): (usize, &(i32, Class, i64))| {
            status(id as i64, *service, *class, *second)
        };
        let path: Path = said.iter().enumerate().map(status).collect();
        let finding = Finding::of(&path, at(0), &pipeline(20), at(now));
        let name = |step: Step| format!("s{}", step.service);
        let telling = Telling {
            finding: &finding,
            path: &path,
            now: at(now),
            name,
            message,
        };
        telling.sentence()
    }

    #[test]
    fn each_verdict_has_its_sentence() {
        use Class::{Failure, Progress, Success};
        for (said, now, message, expected) in [
            (
                vec![],
                1,
                None,
                "Nothing was said of it since 2027-01-15T08:00:00Z.",
            ),
            (
                vec![(1, Failure, 1)],
                2,
                Some("\n no host \n more"),
                "It failed at s1 at 2027-01-15T08:00:01Z: no host",
            ),
            (
                vec![(1, Failure, 1)],
                2,
                Some("Traceback (most recent):\n  File x\nKeyError: 5\n"),
                "It failed at s1 at 2027-01-15T08:00:01Z: KeyError: 5",
            ),
            (
                vec![(1, Failure, 1)],
                2,
                Some(" "),
                "It failed at s1 at 2027-01-15T08:00:01Z, which did not say why.",
            ),
            (
                vec![(1, Progress, 0)],
                100,
                None,
                "It is stuck in s1 since 2027-01-15T08:00:00Z: 95 % end there within 10.0 s, it is 1 min 30 s past that.",
            ),
            (
                vec![(1, Success, 0)],
                3_720,
                None,
                "It is stuck before s2: it left s1 at 2027-01-15T08:00:00Z, 95 % go on within 1 min, it is 1 h 1 min past that.",
            ),
            (
                vec![(1, Success, 0), (2, Success, 1), (3, Success, 2)],
                9,
                None,
                "It succeeded: s3 was the last of 3 steps to say so, at 2027-01-15T08:00:02Z, 2.0 s after the first status.",
            ),
            (
                vec![(4, Progress, 0)],
                90_000,
                None,
                "Nothing is known of it: s4 was the last to speak, at 2027-01-15T08:00:00Z, 1 d 1 h ago.",
            ),
            (
                vec![(1, Progress, 0)],
                1,
                None,
                "It is in progress, at s1 since 2027-01-15T08:00:00Z; s1 is to end, by 2027-01-15T08:00:10Z in 95 % of cases.",
            ),
            (
                vec![(1, Success, 0)],
                1,
                None,
                "It is in progress, at s1 since 2027-01-15T08:00:00Z; s2 is next, by 2027-01-15T08:01:00Z in 95 % of cases.",
            ),
            (
                vec![(4, Progress, 0)],
                1,
                None,
                "It is in progress, at s4 since 2027-01-15T08:00:00Z.",
            ),
        ] {
            assert_eq!(told(&said, now, message), expected);
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let sentence = told(&[(1, Class::Failure, 0)], 1, Some(&"é".repeat(10_000)));
        assert!(sentence.ends_with("é…") && sentence.chars().count() < 300);
    }
}
