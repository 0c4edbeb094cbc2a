//! The callbacks of the Kafka client: they note what happened and return.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, warn};

use crate::store::batch::Lane;

/// What the group asks of this member. It goes on once the consumer's thread has answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Rebalance {
    Assign(Vec<Lane>),
    Revoke(Vec<Lane>),
}

/// Keeps what the group asks until the thread comes round to it: a callback that waited for a
/// batch to be written would have to reach into the thread's state.
#[derive(Default)]
pub struct GroupContext {
    asked: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
    /// The ends of the logs, as the client last learnt them; `None` when told already.
    ends: Mutex<Option<BTreeMap<Lane, i64>>>,
}

impl GroupContext {
    /// What was asked since the last call, oldest first.
    pub fn take_asked(&self) -> VecDeque<Rebalance> {
        mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ends of the logs of lanes that are fetched, once each time the client learns them.
    pub fn take_ends(&self) -> Option<BTreeMap<Lane, i64>> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.take()
    }

    /// From now on nobody comes round: what the group asks is granted at once.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for GroupContext {
    /// Comes each `statistics.interval.ms`; the group reads one topic.
    fn stats(&self, statistics: Statistics) {
        let lanes = statistics
            .topics
            .into_values()
            .flat_map(|topic| topic.partitions);
        // -1 is the client's own bookkeeping, and an end not known yet.
        let ends = lanes
            .filter(|(lane, state)| *lane >= 0 && state.hi_offset >= 0)
            .map(|(lane, state)| (lane, state.hi_offset));
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends.collect());
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        lanes: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Relaxed) {
            // While the client closes, any answer lets go of everything, whatever the protocol.
            if let Err(error) = consumer.incremental_unassign(&TopicPartitionList::new()) {
                warn!(%error, "letting go of the lanes at the end");
            }
            return;
        }
        let lanes = lanes.elements().iter().map(|e| e.partition()).collect();
        let rebalance = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(lanes),
            _ => Rebalance::Revoke(lanes),
        };
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(rebalance);
    }

    /// The group's offset serves dashboards only; the stored one decides.
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(%error, "the group's offset was not committed");
        }
    }
}
