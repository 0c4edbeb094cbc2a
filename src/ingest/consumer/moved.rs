//! Lanes whose stored offset somebody else moved while they had nothing to write.

use std::collections::BTreeMap;

use tracing::warn;

use super::Consumer;
use crate::store::batch::Lane;

impl Consumer {
    /// Compares what is stored with where idle lanes stand. What was read may be older than the last commit; a
    /// lane counts as moved only when two looks find the same.
    pub(super) fn compare(&mut self, stored: &BTreeMap<Lane, i64>) {
        let mut apart = self.idle();
        apart.retain(|lane, next| stored.get(lane) != Some(next));
        let now: BTreeMap<Lane, Apart> = apart
            .into_iter()
            .map(|(lane, next)| (lane, (next, stored.get(&lane).copied())))
            .collect();
        let before = std::mem::replace(&mut self.apart, now.clone());
        let moved: BTreeMap<Lane, Apart> = now
            .into_iter()
            .filter(|(lane, apart)| before.get(lane) == Some(apart))
            .collect();
        if !moved.is_empty() {
            warn!(
                ?moved,
                "the stored offsets of these lanes were moved: they go on there"
            );
            self.restart(moved.into_keys().collect());
        }
    }

    /// Where lanes stand of which nothing is open or with the writer.
    fn idle(&self) -> BTreeMap<Lane, i64> {
        let mut lanes = self.intake.positions();
        for lane in self.intake.open_lanes() {
            lanes.remove(&lane);
        }
        for lane in self.writing.iter().flat_map(|batch| &batch.lanes) {
            lanes.remove(lane);
        }
        lanes
    }
}

/// Where a lane stands, and what is stored instead.
pub type Apart = (i64, Option<i64>);
