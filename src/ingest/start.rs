//! Where a lane starts: the stored offset, else the group's, else as the contract says
//! (section 2, "Delivery"). The decision is pure; `locate` does the asking.

use std::collections::BTreeMap;

use crate::config::OffsetReset;
use crate::store::batch::Lane;

/// What the broker knows of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The first offset the log holds.
    pub low: i64,
    /// The offset the next message will get.
    pub high: i64,
}

/// Starts to be stored for lanes of a topic that have none, before the first fetch.
///
/// `stored` is empty for a topic never seen before: then every lane of the topic without a
/// committed offset gets its start now, so that one without a stored start is, from then on, new.
/// Of the lanes with a committed offset only those `wanted` get theirs: the others may still be
/// read, and committed, by another member of the group.
pub fn missing(
    log: &BTreeMap<Lane, LogState>,
    stored: &BTreeMap<Lane, i64>,
    wanted: &[Lane],
    reset: OffsetReset,
) -> BTreeMap<Lane, i64> {
    let unseen = stored.is_empty();
    log.iter()
        .filter(|(lane, _)| !stored.contains_key(lane))
        .filter_map(|(lane, state)| match state.committed {
            Some(committed) => wanted.contains(lane).then_some((*lane, committed)),
            None if unseen => Some((*lane, reset_offset(state, reset))),
            None => wanted.contains(lane).then_some((*lane, state.low)),
        })
        .collect()
}

fn reset_offset(state: &LogState, reset: OffsetReset) -> i64 {
    match reset {
        OffsetReset::Earliest => state.low,
        OffsetReset::Latest => state.high,
    }
}

/// How a stored offset fits the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The log holds it, or will with the next message.
    Holds,
    /// The log starts later: `missing` offsets are gone.
    Gap { start: i64, missing: i64 },
    /// The log ends before it: the topic was made anew.
    Anew { start: i64, end: i64 },
    /// The log was looked at too early to tell.
    Moved,
}

/// Compares a stored offset with the log.
///
/// `known` is what was stored before the log was looked at. Where another consumer has moved the lane since,
/// it may have read messages that came since, and an end that lies before them proves nothing.
pub fn fit(next: i64, known: Option<i64>, state: &LogState) -> Fit {
    if next < state.low {
        Fit::Gap {
            start: state.low,
            missing: state.low - next,
        }
    } else if next > state.high && known != Some(next) {
        Fit::Moved
    } else if next > state.high {
        Fit::Anew {
            start: state.low,
            end: state.high,
        }
    } else {
        Fit::Holds
    }
}

/// Whether odd messages up to `odd` cannot be of this log, though the lane's offset fits it: it lost its
/// end, or was made anew, after a crash between the two commits of a batch. Where nobody has moved the odd
/// offset since before the log was looked at.
pub fn is_of_another_log(odd: i64, state: &LogState) -> bool {
    odd > state.high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(committed: Option<i64>) -> LogState {
        LogState {
            committed,
            low: 10,
            high: 50,
        }
    }

    #[test]
    fn an_unseen_topic_starts_by_policy_where_the_group_has_no_offset() {
        let log = BTreeMap::from([(0, state(Some(30))), (1, state(None)), (2, state(Some(40)))]);
        let stored = BTreeMap::new();
        let latest = missing(&log, &stored, &[0, 1], OffsetReset::Latest);
        assert_eq!(latest, BTreeMap::from([(0, 30), (1, 50)]));
        let others = missing(&log, &stored, &[0], OffsetReset::Earliest);
        assert_eq!(
            others,
            BTreeMap::from([(0, 30), (1, 10)]),
            "lane 1 gets its start although another member holds it"
        );
    }

    #[test]
    fn a_new_partition_of_a_known_topic_starts_at_its_beginning_whatever_the_policy() {
        let log = BTreeMap::from([(0, state(None)), (1, state(None))]);
        let stored = BTreeMap::from([(0, 20)]);
        let starts = missing(&log, &stored, &[1], OffsetReset::Latest);
        assert_eq!(starts, BTreeMap::from([(1, 10)]));
    }

    #[test]
    fn a_known_topic_still_follows_the_groups_offset_of_a_lane_not_held_before() {
        let log = BTreeMap::from([(0, state(None)), (1, state(Some(33)))]);
        let stored = BTreeMap::from([(0, 20)]);
        let starts = missing(&log, &stored, &[1], OffsetReset::Latest);
        assert_eq!(starts, BTreeMap::from([(1, 33)]));
    }

    #[test]
    fn an_offset_the_log_does_not_hold_goes_to_its_start_never_to_its_end() {
        let log = state(None);
        assert_eq!(fit(10, Some(10), &log), Fit::Holds);
        assert_eq!(fit(50, Some(50), &log), Fit::Holds);
        let gap = Fit::Gap {
            start: 10,
            missing: 3,
        };
        assert_eq!(fit(7, Some(7), &log), gap);
        let anew = Fit::Anew { start: 10, end: 50 };
        assert_eq!(fit(51, Some(51), &log), anew);
    }

    #[test]
    fn a_lane_that_moved_beyond_what_was_seen_of_its_log_is_not_sent_back() {
        let log = state(None);
        assert_eq!(fit(51, Some(40), &log), Fit::Moved);
        assert_eq!(fit(51, None, &log), Fit::Moved);
        assert_eq!(fit(50, Some(40), &log), Fit::Holds);
    }
}
