//! How far behind this consumer is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::store::batch::Lane;
use crate::telemetry::metrics::ConsumerMetrics;

/// What is stored, what is on its way there, and what the logs hold.
#[derive(Debug, Default)]
pub struct Progress {
    /// The stored offset of each lane that is held.
    stored: BTreeMap<Lane, i64>,
    /// When the oldest message was produced that is with the writer.
    writing: Option<DateTime<Utc>>,
}

impl Progress {
    /// These offsets are stored.
    pub fn stored(&mut self, lanes: &BTreeMap<Lane, i64>) {
        self.stored.extend(lanes);
    }

    /// Lanes are another's now.
    pub fn released(&mut self, lanes: &[Lane]) {
        self.stored.retain(|lane, _| !lanes.contains(lane));
    }

    /// A batch went to the writer, or nothing is there any more.
    pub fn writing(&mut self, oldest: Option<DateTime<Utc>>) {
        self.writing = oldest;
    }

    /// Tells how old the oldest message is that is not committed; `open`: of the open batch.
    pub fn tell_oldest(&self, metrics: &ConsumerMetrics, open: Option<DateTime<Utc>>) {
        let oldest = self.writing.into_iter().chain(open).min();
        metrics.oldest_uncommitted(oldest);
    }

    /// Tells how many offsets of each lane are not stored yet; `ends`: of the logs.
    pub fn tell_lag(&self, metrics: &ConsumerMetrics, ends: &BTreeMap<Lane, i64>) {
        let lags = self.stored.iter().filter_map(|(lane, next)| {
            let end = ends.get(lane)?;
            Some((*lane, (end - next).max(0)))
        });
        metrics.lags(lags);
    }
}
