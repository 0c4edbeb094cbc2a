//! Every metric, its name and its meaning, in one place.
//!
//! Names without a `_total` suffix are those the dashboards of the Go tracker use.

mod consumer;
mod register;
mod upkeep;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use prometheus::{
    Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

pub use consumer::Attempt;
use register::New;

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
    pub oldest_uncommitted: IntGauge,
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
        let new = New(registry);
        Ok(Self {
            consumed_messages: new.counter("payload_tracker_consumed_messages",
                "Messages read from Kafka",
            )?,
            consume_errors: new.counter("payload_tracker_consume_errors",
                "Errors of the Kafka client",
            )?,
            messages_processed: new.counter("payload_tracker_messages_processed",
                "Messages whose status or reject is committed",
            )?,
            process_errors: new.counter("payload_tracker_message_process_errors",
                "Failed attempts to write a batch",
            )?,
            invalid_request_ids: new.counter("payload_tracker_consumer_invalid_request_IDs",
                "Messages rejected for their request id",
            )?,
            rejects: new.counters("payload_tracker_rejects",
                "Rejects stored",
                &["reason", "service"],
            )?,
            retries: new.counters("payload_tracker_batch_refusals",
                "Attempts to write a batch that the database did not let through",
                &["class"],
            )?,
            bisections: new.counter("payload_tracker_bisections",
                "Batches halved to find the row that the database refuses",
            )?,
            lag: new.of_partitions("payload_tracker_lag",
                "Offsets that the log holds and the database has not passed",
            )?,
            oldest_uncommitted: new.gauge("payload_tracker_oldest_uncommitted_timestamp_seconds",
                "When the oldest message was produced that was read and is not committed, 0 for none",
            )?,
            fuse_blown: new.of_partitions("payload_tracker_fuse_blown",
                "1 for each partition held here that is stopped because most of its messages were rejected",
            )?,
            fuse_blows: new.counter("payload_tracker_fuse_blows",
                "Times that a lane stopped because most of its messages were rejected",
            )?,
            services: Arc::default(),
            process_seconds: new.histogram("payload_tracker_message_process_seconds",
                "Seconds a message took from its batch's close to its commit, per message",
                &[1e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0],
            )?,
            batch_messages: new.histogram("payload_tracker_batch_messages",
                "Messages of a batch",
                &[
                    1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 50_000.0,
                ],
            )?,
            batch_payloads: new.histogram("payload_tracker_batch_payloads",
                "Different payloads of a batch",
                &[
                    1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 50_000.0,
                ],
            )?,
            batch_bytes: new.histogram("payload_tracker_batch_bytes",
                "Bytes of a batch's keys and values",
                &[1e3, 1e4, 1e5, 1e6, 2e6, 4e6, 8e6, 1.6e7, 6.4e7],
            )?,
            batches: new.counters("payload_tracker_batches",
                "Batches committed, by what closed them",
                &["close"],
            )?,
            batch_seconds: new.histograms(
                "payload_tracker_batch_seconds",
                "Seconds of a batch, by stage",
                "stage",
                &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0],
            )?,
        })
    }
}

/// What the upkeep of `pt-consumer` counts.
#[derive(Clone, Debug)]
pub struct UpkeepMetrics {
    /// Rounds, by how they ended.
    pub rounds: IntCounterVec,
    /// 1 while this process holds the lock and works.
    pub running: IntGauge,
    /// When a round of this process last met no failure, seconds since 1970.
    pub last_success: IntGauge,
    /// Parts of rounds that failed.
    pub failures: IntCounterVec,
    /// When this process last learnt what explain answers from, seconds since 1970.
    pub learnt: IntGauge,
    pub partitions_made: IntCounter,
    pub partitions_dropped: IntCounter,
    /// Where the oldest partition begins, seconds since 1970.
    pub partitions_from: IntGauge,
    /// Where the newest partition ends, seconds since 1970.
    pub partitions_until: IntGauge,
    /// Rows deleted in steps, by table.
    pub deleted_rows: IntCounterVec,
    /// Seconds for which a step held its locks.
    pub step_seconds: Histogram,
}

impl UpkeepMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    ///
    /// A name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let new = New(registry);
        Ok(Self {
            rounds: new.counters(
                "payload_tracker_upkeep_rounds",
                "Rounds of upkeep, by how they ended",
                &["outcome"],
            )?,
            running: new.gauge(
                "payload_tracker_upkeep_running",
                "1 while this process holds the lock of upkeep",
            )?,
            last_success: new.gauge(
                "payload_tracker_upkeep_last_success_timestamp_seconds",
                "When a round of upkeep last met no failure",
            )?,
            failures: new.counters(
                "payload_tracker_upkeep_failures",
                "Parts of rounds of upkeep that failed",
                &["task"],
            )?,
            learnt: new.gauge(
                "payload_tracker_learning_last_success_timestamp_seconds",
                "When a round of learning what payloads do last met no failure",
            )?,
            partitions_made: new.counter(
                "payload_tracker_partitions_made",
                "Day partitions made ahead",
            )?,
            partitions_dropped: new.counter(
                "payload_tracker_partitions_dropped",
                "Expired partitions dropped",
            )?,
            partitions_from: new.gauge(
                "payload_tracker_partitions_from_timestamp_seconds",
                "Where the oldest partition begins",
            )?,
            partitions_until: new.gauge(
                "payload_tracker_partitions_until_timestamp_seconds",
                "Where the newest partition ends",
            )?,
            deleted_rows: new.counters(
                "payload_tracker_deleted_rows",
                "Expired rows deleted in steps, by table",
                &["table"],
            )?,
            step_seconds: new.histogram(
                "payload_tracker_upkeep_step_seconds",
                "Seconds for which a step of deleting held its locks",
                &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2],
            )?,
        })
    }
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
    /// Streams of server-sent events that are open.
    pub listeners: IntGauge,
    /// Streams that this side ended, by why.
    pub listeners_cut_off: IntCounterVec,
}

impl ApiMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    ///
    /// A name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let new = New(registry);
        Ok(Self {
            requests: new.counter("payload_tracker_requests", "Requests received")?,
            responses: new.counters("payload_tracker_responses", "Answers given", &["code"])?,
            invalid_request_ids: new.counter(
                "payload_tracker_api_invalid_request_IDs",
                "Requests for a payload by something that can be no request id",
            )?,
            db_seconds: new.histogram(
                "payload_tracker_db_seconds",
                "Seconds a question to the database took",
                &[
                    0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
                ],
            )?,
            listeners: new.gauge(
                "payload_tracker_live_listeners",
                "Streams of server-sent events that are open",
            )?,
            listeners_cut_off: new.counters(
                "payload_tracker_live_listeners_cut_off",
                "Streams of server-sent events that the service ended, by why",
                &["reason"],
            )?,
        })
    }
}
