//! What is counted when something happens to a batch or a lane.

use std::sync::PoisonError;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ConsumerMetrics;
use crate::status::{Reason, Reject};
use crate::store::batch::{Batch, Lane, Part};
use crate::store::failure::Failure;
use crate::store::writer::{Timings, Written};

/// Services whose rejects are counted apart; those of others are counted as `other`.
const MAX_SERVICES: usize = 100;

/// How a commit came about.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What closed the batch, or `bisection` for a piece of it.
    pub close: &'a str,
    /// From the start of the attempt.
    pub taken: Duration,
    pub timings: &'a Timings,
}

impl ConsumerMetrics {
    /// An attempt to write failed.
    pub fn refused(&self, failure: Failure) {
        self.process_errors.inc();
        self.retries.with_label_values(&[failure.as_str()]).inc();
    }

    /// These lanes of ours are stopped by their fuses, and no others.
    pub fn fuses<'a>(&self, blown: impl Iterator<Item = &'a Lane>) {
        self.fuse_blown.reset();
        for lane in blown {
            let lane = lane.to_string();
            self.fuse_blown.with_label_values(&[&lane]).set(1);
        }
    }

    /// How far each lane held here is behind its log, and no others.
    pub fn lags(&self, lags: impl Iterator<Item = (Lane, i64)>) {
        self.lag.reset();
        for (lane, lag) in lags {
            self.lag.with_label_values(&[&lane.to_string()]).set(lag);
        }
    }

    /// When the oldest message was produced that was read and is not committed.
    pub fn oldest_uncommitted(&self, produced_at: Option<DateTime<Utc>>) {
        self.oldest_uncommitted
            .set(produced_at.map_or(0, |at| at.timestamp()));
    }

    /// A batch, or a piece of one, was committed.
    pub fn committed(&self, batch: &Batch, written: &Written, attempt: &Attempt<'_>) {
        let parts = || {
            let lanes = written.committed.keys();
            lanes.filter_map(|lane| batch.parts.get(lane))
        };
        let messages: usize = parts().map(Part::len).sum();
        self.messages_processed.inc_by(messages as u64);
        self.batches.with_label_values(&[attempt.close]).inc();
        self.batch_messages.observe(messages as f64);
        self.batch_payloads.observe(written.payloads as f64);
        let bytes: usize = parts().map(Part::bytes).sum();
        self.batch_bytes.observe(bytes as f64);
        if messages > 0 {
            self.process_seconds
                .observe(attempt.taken.as_secs_f64() / messages as f64);
        }
        for (stage, seconds) in attempt.timings.stages() {
            self.batch_seconds
                .with_label_values(&[stage])
                .observe(seconds.as_secs_f64());
        }
        for rejected in parts().flat_map(|part| &part.rejected) {
            self.rejected(&rejected.reject);
        }
        self.fuse_blows.inc_by(written.blown.len() as u64);
    }

    fn rejected(&self, reject: &Reject) {
        let service = self.service_label(reject.service.as_deref().unwrap_or_default());
        self.rejects
            .with_label_values(&[reject.reason.as_str(), service.as_str()])
            .inc();
        if reject.reason == Reason::InvalidRequestId {
            self.invalid_request_ids.inc();
        }
    }

    /// A bug that puts ids into `service` must not grow the metrics without end.
    fn service_label(&self, service: &str) -> String {
        let mut known = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_SERVICES && !known.contains(service) {
            known.insert(service.to_owned());
        }
        match known.get(service) {
            Some(service) => service.clone(),
            None => "other".to_owned(),
        }
    }
}
