//! What was measured, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::process::Usage;

const MIB: f64 = 1_048_576.0;

/// One run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub topic: String,
    pub partitions: usize,
    pub database: String,
    pub consumers: u16,
    /// Whether a payload's statuses were all in one partition.
    pub keyed: bool,
    /// Payloads that were in the database before.
    pub older_payloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<Copy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady: Option<Steady>,
}

/// A backlog, from the consumer's start to its last row.
#[derive(Debug, Serialize)]
pub(super) struct Drain {
    pub messages: u64,
    /// Of their values.
    pub bytes: u64,
    pub seconds: f64,
    /// What they became.
    pub rows: Rows,
    pub batches: Batches,
    /// Seconds of writing, by stage, of all consumers; the rest was spent waiting for messages.
    pub stages: BTreeMap<String, f64>,
    #[serde(skip)]
    pub writers: u16,
    pub consumer: Usage,
    /// CPU time of PostgreSQL, seconds; only where it runs on this machine.
    pub server_cpu: Option<f64>,
}

/// Rows by table.
#[derive(Debug, Serialize)]
pub(super) struct Rows {
    pub payloads: i64,
    pub payload_ids: i64,
    pub payload_statuses: i64,
}

/// What the batches were like.
#[derive(Debug, Serialize)]
pub(super) struct Batches {
    pub count: u64,
    pub mean_messages: f64,
    /// Different ones.
    pub mean_payloads: f64,
    pub mean_bytes: f64,
    pub closed_by: BTreeMap<String, u64>,
}

/// The same rows by COPY.
#[derive(Debug, Serialize)]
pub(super) struct Copy {
    pub rows: u64,
    pub seconds: f64,
}

/// A steady rate.
#[derive(Debug, Serialize)]
pub(super) struct Steady {
    /// Messages a second.
    pub rate: u32,
    pub seconds: f64,
    pub latency: Latency,
    pub batches: Batches,
    /// Share of one core that the consumer took.
    pub consumer_cores: f64,
    /// Share of one core that PostgreSQL took, the questions that measure included; only where it
    /// runs on this machine.
    pub server_cores: Option<f64>,
    pub consumer: Usage,
}

/// From handing a message to the producer until a reader sees its status, milliseconds.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Latency {
    pub samples: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Latency {
    pub(super) fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort();
        // The smallest value that so many in a hundred do not exceed.
        let percentile = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).max(1);
            let sample = samples.get(rank - 1).copied().unwrap_or_default();
            sample.as_secs_f64() * 1_000.0
        };
        Self {
            samples: samples.len(),
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            max_ms: percentile(100),
        }
    }
}

impl Rows {
    fn total(&self) -> i64 {
        self.payloads + self.payload_ids + self.payload_statuses
    }
}

impl Drain {
    fn rows_per_second(&self) -> f64 {
        self.rows.total() as f64 / self.seconds
    }

    fn write_stages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stages: Vec<(&str, f64)> = self
            .stages
            .iter()
            .map(|(stage, spent)| (stage.as_str(), *spent))
            .collect();
        let written: f64 = self.stages.values().sum();
        stages.sort_by(|one, other| other.1.total_cmp(&one.1));
        let available = self.seconds * f64::from(self.writers);
        stages.push(("waiting", available - written));
        for (stage, spent) in stages {
            let share = 100.0 * spent / available;
            writeln!(f, "  {stage:<9} {spent:6.2} s  {share:3.0} %")?;
        }
        Ok(())
    }
}

impl Copy {
    fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.older_payloads > 0 {
            writeln!(f, "{} older payloads", self.older_payloads)?;
        }
        if let Some(drain) = &self.drain {
            drain.fmt(f)?;
        }
        if let (Some(drain), Some(copy)) = (&self.drain, &self.copy) {
            let (ours, theirs) = (drain.rows_per_second(), copy.rows_per_second());
            let share = 100.0 * ours / theirs;
            writeln!(f, "COPY of the same {} rows: {theirs:.0} rows/s", copy.rows)?;
            writeln!(f, "drained at {ours:.0} rows/s: {share:.0} % of that")?;
        }
        if let Some(steady) = &self.steady {
            steady.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages, seconds, ..
        } = self;
        let rate = *messages as f64 / seconds;
        writeln!(
            f,
            "{messages} messages in {seconds:.2} s from process start to last row: {rate:.0} messages/s"
        )?;
        self.batches.fmt(f)?;
        self.write_stages(f)?;
        self.consumer.fmt(f)?;
        if let Some(cpu) = self.server_cpu {
            writeln!(f, "PostgreSQL: {cpu:.2} s of CPU")?;
        }
        Ok(())
    }
}

impl fmt::Display for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            mean_messages,
            mean_payloads,
            mean_bytes,
            closed_by,
        } = self;
        write!(
            f,
            "{count} batches, on average {mean_messages:.0} messages of {mean_payloads:.0} payloads, {:.1} MiB; closed by",
            mean_bytes / MIB
        )?;
        for (reason, count) in closed_by {
            write!(f, " {reason} {count}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu_seconds,
            peak_rss_bytes,
        } = self;
        let mib = *peak_rss_bytes as f64 / MIB;
        writeln!(
            f,
            "pt-consumer: {cpu_seconds:.2} s of CPU, {mib:.0} MiB resident at most"
        )
    }
}

impl fmt::Display for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency {
            samples,
            p50_ms,
            p99_ms,
            max_ms,
        } = &self.latency;
        writeln!(
            f,
            "{} messages/s for {:.0} s, visible after p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, at most {max_ms:.0} ms ({samples} samples)",
            self.rate, self.seconds
        )?;
        self.batches.fmt(f)?;
        self.consumer.fmt(f)?;
        write!(
            f,
            "of one core: pt-consumer {:.1} %",
            100.0 * self.consumer_cores
        )?;
        match self.server_cores {
            Some(cores) => writeln!(f, ", PostgreSQL {:.1} %", 100.0 * cores),
            None => writeln!(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency {
            samples: 200,
            p50_ms: 100.0,
            p99_ms: 198.0,
            max_ms: 200.0,
        };
        assert_eq!(Latency::of(samples), latency);
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
