//! Which lanes are read, and from where.

use std::collections::BTreeMap;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use tracing::{info, warn};

use super::Consumer;
use crate::store::batch::Lane;

impl Consumer {
    /// New lanes are fetched once their start is stored; until then the group sees them as taken.
    pub(super) fn assigned(&mut self, lanes: Vec<Lane>) {
        info!(?lanes, "lanes assigned");
        tell("taking lanes", self.fetch(&BTreeMap::new()));
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
        self.drain(|lane| lanes.contains(&lane), || stop.is_cancelled());
        let read: Vec<Lane> = lanes
            .iter()
            .copied()
            .filter(|lane| self.intake.release(*lane))
            .collect();
        tell("letting go of lanes", self.give_up(&read));
        self.progress.released(lanes);
        self.locate();
    }

    /// The client sends this before anything it sends about an assignment later on, so lanes
    /// that are let go leave with their last offset.
    pub(super) fn commit_group_offsets(&self, committed: &BTreeMap<Lane, i64>) {
        let held = self.intake.positions();
        let mut kept = committed.clone();
        kept.retain(|lane, _| held.contains_key(lane));
        let list = self.positions(&kept);
        if list.count() > 0
            && let Err(error) = self.setup.client.commit(&list, CommitMode::Async)
        {
            warn!(%error, "the group's offset was not committed");
        }
    }

    pub(super) fn located(&mut self, starts: BTreeMap<Lane, i64>) {
        self.progress.stored(&starts);
        let mut starts = starts;
        starts.retain(|lane, next| self.intake.start(*lane, *next));
        let started: Vec<Lane> = starts.keys().copied().collect();
        match self.fetch(&starts) {
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
            tell("stopping lanes", self.stop_fetching(&read));
            self.locate();
        }
    }

    /// Has the start of every lane found out that waits for it, and of no other: one that was let go
    /// may be unknown to the broker by now.
    fn locate(&self) {
        let waiting = self.intake.locating();
        self.setup.health.locating(&waiting);
        self.channels.locate.send_replace(waiting);
    }

    pub(super) fn pause(&self, lanes: &[Lane]) {
        tell("pausing lanes", self.setup.client.pause(&self.list(lanes)));
    }

    pub(super) fn resume(&self, lanes: &[Lane]) {
        tell(
            "resuming lanes",
            self.setup.client.resume(&self.list(lanes)),
        );
    }

    pub(super) fn list(&self, lanes: &[Lane]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(lanes.len());
        for lane in lanes {
            list.add_partition(&self.setup.topic, *lane);
        }
        list
    }
}

/// What is read is told anew with the group's next answer.
fn tell(what: &str, done: KafkaResult<()>) {
    if let Err(error) = done {
        warn!(%error, "{what}");
    }
}
