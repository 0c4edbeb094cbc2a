//! Every metric, its name and its meaning, in one place.
//!
//! Names without a `_total` suffix are those the dashboards of the Go tracker use.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec,
    Opts, Registry,
};

use crate::status::{Reason, Reject};
use crate::store::batch::{Batch, Lane, Part};
use crate::store::failure::Failure;
use crate::store::writer::{Timings, Written};

/// Services whose rejects are counted apart; those of others are counted as `other`.
const MAX_SERVICES: usize = 100;

/// What `pt-consumer` counts.
#[derive(Clone, Debug)]
pub struct ConsumerMetrics {
    /// Messages read from Kafka, good or not.
    pub consumed_messages: IntCounter,
    /// Errors of the Kafka client.
    pub consume_errors: IntCounter,
    /// Messages whose status or reject is committed.
    pub messages_processed: IntCounter,
    /// Attempts to write a batch that the database did not let through.
    pub process_errors: IntCounter,
    /// Messages rejected for their request id.
    pub invalid_request_ids: IntCounter,
    /// Rejects stored, by reason and service.
    pub rejects: IntCounterVec,
    /// Attempts that the database did not let through, by what that means.
    pub retries: IntCounterVec,
    /// Batches halved to find the row that the database refuses.
    pub bisections: IntCounter,
    /// Offsets of each lane held here that the log holds and the database has not passed.
    pub lag: IntGaugeVec,
    /// When the oldest message was produced that was read and is not committed, Unix seconds; 0: none.
    pub oldest_uncommitted: Gauge,
    /// 1 for each lane held here whose fuse has blown.
    pub fuse_blown: IntGaugeVec,
    /// Times that a fuse blew.
    pub fuse_blows: IntCounter,
    /// Seconds from the batch's hand-over to its commit, spread over its messages.
    pub process_seconds: Histogram,
    /// Messages a batch holds.
    pub batch_messages: Histogram,
    /// Different payloads a batch names: the fewer, the more of its statuses share one row to update.
    pub batch_payloads: Histogram,
    /// Bytes of a batch's keys and values.
    pub batch_bytes: Histogram,
    /// Batches, by what closed them.
    pub batches: IntCounterVec,
    /// Seconds of a batch, by stage.
    pub batch_seconds: HistogramVec,
    /// Services that have a label value of their own.
    services: Arc<Mutex<BTreeSet<String>>>,
}

impl ConsumerMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    ///
    /// A name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            consumed_messages: counter(
                registry,
                "payload_tracker_consumed_messages",
                "Messages read from Kafka",
            )?,
            consume_errors: counter(
                registry,
                "payload_tracker_consume_errors",
                "Errors of the Kafka client",
            )?,
            messages_processed: counter(
                registry,
                "payload_tracker_messages_processed",
                "Messages whose status or reject is committed",
            )?,
            process_errors: counter(
                registry,
                "payload_tracker_message_process_errors",
                "Failed attempts to write a batch",
            )?,
            invalid_request_ids: counter(
                registry,
                "payload_tracker_consumer_invalid_request_IDs",
                "Messages rejected for their request id",
            )?,
            rejects: counters(
                registry,
                "payload_tracker_rejects",
                "Rejects stored",
                &["reason", "service"],
            )?,
            retries: counters(
                registry,
                "payload_tracker_batch_refusals",
                "Attempts to write a batch that the database did not let through",
                &["class"],
            )?,
            bisections: counter(
                registry,
                "payload_tracker_bisections",
                "Batches halved to find the row that the database refuses",
            )?,
            lag: of_partitions(
                registry,
                "payload_tracker_lag",
                "Offsets that the log holds and the database has not passed",
            )?,
            oldest_uncommitted: gauge(
                registry,
                "payload_tracker_oldest_uncommitted_timestamp_seconds",
                "When the oldest message was produced that was read and is not committed, 0 for none",
            )?,
            fuse_blown: of_partitions(
                registry,
                "payload_tracker_fuse_blown",
                "1 for each partition held here that is stopped because most of its messages were rejected",
            )?,
            fuse_blows: counter(
                registry,
                "payload_tracker_fuse_blows",
                "Times that a lane stopped because most of its messages were rejected",
            )?,
            services: Arc::default(),
            process_seconds: histogram(
                registry,
                "payload_tracker_message_process_seconds",
                "Seconds a message took from its batch's close to its commit, per message",
                vec![1e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0],
            )?,
            batch_messages: histogram(
                registry,
                "payload_tracker_batch_messages",
                "Messages of a batch",
                vec![
                    1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 50_000.0,
                ],
            )?,
            batch_payloads: histogram(
                registry,
                "payload_tracker_batch_payloads",
                "Different payloads of a batch",
                vec![
                    1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 50_000.0,
                ],
            )?,
            batch_bytes: histogram(
                registry,
                "payload_tracker_batch_bytes",
                "Bytes of a batch's keys and values",
                vec![1e3, 1e4, 1e5, 1e6, 2e6, 4e6, 8e6, 1.6e7, 6.4e7],
            )?,
            batches: counters(
                registry,
                "payload_tracker_batches",
                "Batches committed, by what closed them",
                &["close"],
            )?,
            batch_seconds: stages(registry)?,
        })
    }

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
        let seconds = produced_at.map_or(0.0, |at| at.timestamp_millis() as f64 / 1_000.0);
        self.oldest_uncommitted.set(seconds);
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

/// How a commit came about.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What closed the batch, or `bisection` for a piece of it.
    pub close: &'a str,
    /// From the start of the attempt.
    pub taken: Duration,
    pub timings: &'a Timings,
}

/// What `pt-api` counts.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    /// Requests received, but for probes.
    pub requests: IntCounter,
    /// Answers given, by HTTP status code.
    pub responses: IntCounterVec,
    /// Requests for a payload by something that can be no request id.
    pub invalid_request_ids: IntCounter,
    /// Seconds a question to the database took, failed ones included.
    pub db_seconds: Histogram,
}

impl ApiMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    ///
    /// A name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            requests: counter(registry, "payload_tracker_requests", "Requests received")?,
            responses: counters(
                registry,
                "payload_tracker_responses",
                "Answers given",
                &["code"],
            )?,
            invalid_request_ids: counter(
                registry,
                "payload_tracker_api_invalid_request_IDs",
                "Requests for a payload by something that can be no request id",
            )?,
            db_seconds: histogram(
                registry,
                "payload_tracker_db_seconds",
                "Seconds a question to the database took",
                vec![
                    0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
                ],
            )?,
        })
    }
}

fn of_partitions(registry: &Registry, name: &str, help: &str) -> Result<IntGaugeVec, Error> {
    let metric = IntGaugeVec::new(Opts::new(name, help), &["partition"])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<Gauge, Error> {
    let metric = Gauge::new(name, help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn stages(registry: &Registry) -> Result<HistogramVec, Error> {
    let options = HistogramOpts::new(
        "payload_tracker_batch_seconds",
        "Seconds of a batch, by stage",
    )
    .buckets(vec![
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    ]);
    let metric = HistogramVec::new(options, &["stage"])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, Error> {
    let metric = IntCounter::new(name, help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, Error> {
    let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: Vec<f64>,
) -> Result<Histogram, Error> {
    let metric = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
