//! What the client fetches, told in the way of the group's protocol: the cooperative one takes what
//! changes, the eager one only the whole.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tracing::warn;

use super::Consumer;
use crate::ingest::context::{GroupContext, Rebalance};
use crate::store::batch::Lane;

impl Consumer {
    /// Fetches these lanes too, each from its offset. With no lane it is the answer to an assignment.
    pub(super) fn fetch(&self, starts: &BTreeMap<Lane, i64>) -> KafkaResult<()> {
        if is_eager(&self.setup.client) {
            return self.fetch_only_what_is_read();
        }
        self.setup
            .client
            .incremental_assign(&self.positions(starts))
    }

    /// Fetches these lanes no more, while the group sees them as taken.
    pub(super) fn stop_fetching(&self, lanes: &[Lane]) -> KafkaResult<()> {
        if is_eager(&self.setup.client) {
            return self.fetch_only_what_is_read();
        }
        self.setup.client.incremental_unassign(&self.list(lanes))
    }

    /// The answer to a revocation. The eager protocol revokes everything.
    pub(super) fn give_up(&self, lanes: &[Lane]) -> KafkaResult<()> {
        if is_eager(&self.setup.client) {
            return self.setup.client.unassign();
        }
        self.setup.client.incremental_unassign(&self.list(lanes))
    }

    /// Lanes that went on all along are fetched anew from where they are: what the client held of them is dropped.
    fn fetch_only_what_is_read(&self) -> KafkaResult<()> {
        let read = self.positions(&self.intake.positions());
        self.setup.client.assign(&read)
    }

    pub(super) fn positions(&self, lanes: &BTreeMap<Lane, i64>) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(lanes.len());
        for (lane, next) in lanes {
            let offset = Offset::Offset(*next);
            if let Err(error) = list.add_partition_offset(&self.setup.topic, *lane, offset) {
                warn!(%error, lane, next, "impossible offset");
            }
        }
        list
    }
}

/// Answers what the group asked and nobody came round to: its member could not leave before.
pub fn answer_all(client: &BaseConsumer<GroupContext>) {
    let nothing = TopicPartitionList::new();
    for asked in client.context().take_asked() {
        let answered = match (asked, is_eager(client)) {
            (Rebalance::Assign(_), true) => client.assign(&nothing),
            (Rebalance::Assign(_), false) => client.incremental_assign(&nothing),
            (Rebalance::Revoke(_), true) => client.unassign(),
            (Rebalance::Revoke(_), false) => client.incremental_unassign(&nothing),
        };
        if let Err(error) = answered {
            warn!(%error, "answering the group at the end");
        }
    }
}

fn is_eager(client: &BaseConsumer<GroupContext>) -> bool {
    matches!(client.rebalance_protocol(), RebalanceProtocol::Eager)
}
