//! The consumer's own metrics, read as Prometheus reads them.

use std::collections::BTreeMap;

use super::report::Batches;

/// Samples by name with labels.
#[derive(Default)]
pub(super) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Adds what a consumer answered.
    pub(super) fn add(&mut self, text: &str) {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        for (name, value) in samples.filter_map(|line| line.rsplit_once(' ')) {
            let value: f64 = value.parse().unwrap_or_default();
            *self.0.entry(name.to_owned()).or_default() += value;
        }
    }

    /// Seconds spent in each stage of writing.
    pub(super) fn stages(&self) -> BTreeMap<String, f64> {
        self.by_label("payload_tracker_batch_seconds_sum", "stage")
    }

    pub(super) fn batches(&self) -> Batches {
        let mean = |of: &str| {
            let value = |part| self.value(&format!("payload_tracker_batch_{of}_{part}"));
            value("sum") / value("count").max(1.0)
        };
        Batches {
            count: self.value("payload_tracker_batch_messages_count") as u64,
            mean_messages: mean("messages"),
            mean_payloads: mean("payloads"),
            mean_bytes: mean("bytes"),
            closed_by: self
                .by_label("payload_tracker_batches", "close")
                .into_iter()
                .map(|(reason, count)| (reason, count as u64))
                .collect(),
        }
    }

    fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let start = format!("{name}{{{label}=\"");
        let samples = self.0.iter().filter_map(|(name, value)| {
            let of = name.strip_prefix(&start)?.strip_suffix("\"}")?;
            Some((of.to_owned(), *value))
        });
        samples.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus::{Registry, TextEncoder};

    use super::*;
    use crate::store::batch::Batch;
    use crate::store::writer::{Timings, Written};
    use crate::telemetry::metrics::{Attempt, ConsumerMetrics};

    #[test]
    fn the_names_are_those_of_the_consumers_metrics() {
        let registry = Registry::new();
        let metrics = ConsumerMetrics::new(&registry).unwrap();
        let timings = Timings {
            commit: Duration::from_secs(2),
            ..Timings::default()
        };
        let written = Written {
            payloads: 3,
            ..Written::default()
        };
        let attempt = Attempt {
            close: "count",
            taken: Duration::ZERO,
            timings: &timings,
        };
        metrics.committed(&Batch::default(), &written, &attempt);
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        let text = text.unwrap();
        let mut scrape = Scrape::default();
        scrape.add(&text);
        scrape.add(&text);
        assert_eq!(scrape.stages()["commit"], 4.0);
        let batches = scrape.batches();
        assert_eq!((batches.count, batches.mean_payloads), (2, 3.0));
        assert_eq!(batches.closed_by["count"], 2);
    }
}
