//! Which lanes are read, and from where.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::Consumer;
use crate::ingest::context::GroupContext;
use crate::store::batch::Lane;

impl Consumer {
    /// New lanes are fetched once their start is stored; until then the group sees them as taken.
    pub(super) fn assigned(&mut self, lanes: Vec<Lane>) {
        info!(?lanes, "lanes assigned");
        self.apply(&[], |client, list| client.incremental_assign(list));
        self.intake.assign(lanes);
        self.locate();
    }

    pub(super) fn revoked(&mut self, lanes: &[Lane]) {
        info!(
            ?lanes,
            lost = self.setup.client.assignment_lost(),
            "lanes revoked"
        );
        // A stop has a wait of its own, and both together would take too long.
        let stop = self.stop.clone();
        self.drain(|| stop.is_cancelled());
        let read: Vec<Lane> = lanes
            .iter()
            .copied()
            .filter(|lane| self.intake.release(*lane))
            .collect();
        self.apply(&read, |client, list| client.incremental_unassign(list));
        self.progress.released(lanes);
        self.locate();
    }

    /// The client sends this before anything it sends about an assignment later on, so lanes
    /// that are let go leave with their last offset.
    pub(super) fn commit_group_offsets(&self, committed: &BTreeMap<Lane, i64>) {
        let held = self.intake.reading();
        let mut list = TopicPartitionList::new();
        for (lane, next) in committed.iter().filter(|(lane, _)| held.contains(lane)) {
            let offset = Offset::Offset(*next);
            if let Err(error) = list.add_partition_offset(&self.setup.topic, *lane, offset) {
                warn!(%error, lane, next, "impossible offset");
            }
        }
        if list.count() > 0
            && let Err(error) = self.setup.client.commit(&list, CommitMode::Async)
        {
            warn!(%error, "the group's offset was not committed");
        }
    }

    pub(super) fn located(&mut self, starts: BTreeMap<Lane, i64>) {
        self.progress.stored(&starts);
        let mut list = TopicPartitionList::new();
        let mut started = Vec::new();
        for (lane, next) in starts {
            if self.intake.start(lane, next) {
                started.push(lane);
                let topic = &self.setup.topic;
                if let Err(error) = list.add_partition_offset(topic, lane, Offset::Offset(next)) {
                    warn!(%error, lane, next, "impossible start");
                }
            }
        }
        match self.setup.client.incremental_assign(&list) {
            Ok(()) if self.paused => self.pause(&started),
            // The client remembers a pause beyond the assignment it was made in.
            Ok(()) => self.resume(&started),
            // The group is between two answers. Asking again comes after them.
            Err(error) => {
                warn!(%error, "starting lanes");
                for lane in started {
                    self.intake.restart(lane);
                }
            }
        }
        self.setup.health.topic_found();
        self.locate();
    }

    /// The topic, or a part of it, is said to be gone: lanes are read on when they are found again.
    pub(super) fn doubt_topic(&mut self) {
        let reading = self.intake.reading();
        if !reading.is_empty() {
            self.setup.health.topic_missing();
            self.restart(reading);
        }
    }

    /// Stops reading lanes and finds out again where they go on.
    pub(super) fn restart(&mut self, lanes: Vec<Lane>) {
        let read: Vec<Lane> = lanes
            .into_iter()
            .filter(|lane| self.intake.restart(*lane))
            .collect();
        if !read.is_empty() {
            self.apply(&read, |client, list| client.incremental_unassign(list));
            self.locate();
        }
    }

    /// Has the start of every lane found out that waits for it, and of no other: one that was let go
    /// may be unknown to the broker by now.
    fn locate(&self) {
        let waiting = self.intake.locating();
        self.setup.health.locating(waiting.len());
        self.channels.locate.send_replace(waiting);
    }

    fn apply(
        &self,
        lanes: &[Lane],
        change: impl Fn(&BaseConsumer<GroupContext>, &TopicPartitionList) -> KafkaResult<()>,
    ) {
        if let Err(error) = change(&self.setup.client, &self.list(lanes)) {
            warn!(%error, ?lanes, "changing what is read");
        }
    }

    pub(super) fn pause(&self, lanes: &[Lane]) {
        self.apply(lanes, |client, list| client.pause(list));
    }

    pub(super) fn resume(&self, lanes: &[Lane]) {
        self.apply(lanes, |client, list| client.resume(list));
    }

    fn list(&self, lanes: &[Lane]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(lanes.len());
        for lane in lanes {
            list.add_partition(&self.setup.topic, *lane);
        }
        list
    }
}
