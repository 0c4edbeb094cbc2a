//! What the stored offsets say about what is new.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::position::{Lane, Mark, Position};
use crate::store::entity::consumer_offsets;
use crate::store::entity::payload_statuses::Origins;

/// A lane as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub first: i64,
    pub next: i64,
    /// How many statuses were stored of it, ever.
    pub stored: i64,
    pub updated: DateTime<Utc>,
}

/// All lanes at one moment.
#[derive(Clone, Debug)]
pub struct Lanes {
    pub at: DateTime<Utc>,
    pub stored: BTreeMap<Lane, Stored>,
}

/// Offsets of a lane whose statuses are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub lane: Lane,
    pub origins: Origins,
    /// How many statuses lie there, by the lane's counters.
    pub expected: i64,
}

impl Lanes {
    pub fn of(at: DateTime<Utc>, rows: Vec<consumer_offsets::Model>) -> Self {
        let stored = rows.into_iter().map(|row| {
            let stored = Stored {
                first: row.first_offset,
                next: row.next_offset,
                stored: row.stored,
                updated: row.updated_at,
            };
            (Lane::of(&row.topic, row.partition), stored)
        });
        Self {
            at,
            stored: stored.collect(),
        }
    }

    pub fn position(&self) -> Position {
        let mark = |stored: &Stored| Mark {
            next: stored.next,
            since: stored.updated,
        };
        let lanes = self.stored.iter();
        Position {
            at: self.at,
            lanes: lanes.map(|(lane, stored)| (*lane, mark(stored))).collect(),
        }
    }

    /// What came between `self` and `later`.
    pub fn until(&self, later: &Self) -> Vec<Range> {
        let position = self.position();
        let ranges = later.stored.iter().filter_map(|(lane, now)| {
            let before = self.stored.get(lane);
            let (from, since) = match before {
                None => (now.first, position.stored_since(*lane)),
                // Sent back: read again, or another topic of that name. What is stored of it from then on
                // is new, and what was stored of the same offsets before is not.
                Some(before) if now.first < before.first => {
                    (before.next - (before.first - now.first), before.updated)
                }
                Some(before) => (before.next, position.stored_since(*lane)),
            };
            let origins = Origins {
                partition: lane.partition,
                from,
                until: now.next,
                after: Some(since),
            };
            let expected = now.stored - before.map_or(0, |before| before.stored);
            let range = Range {
                lane: *lane,
                origins,
                expected,
            };
            (from < now.next).then_some(range)
        });
        ranges.collect()
    }
}

impl Lanes {
    /// Where whoever has seen the first of `ranges`, statuses of these partitions and offsets, stands on
    /// the way to `later`.
    pub fn on_the_way(&self, later: &Self, ranges: &[Range], told: &[(i32, i64)]) -> Self {
        let mut stored = self.stored.clone();
        let last = told.last().copied().unwrap_or((i32::MIN, 0));
        for range in ranges {
            let (Some(end), origins) = (later.stored.get(&range.lane), range.origins) else {
                continue;
            };
            let next = match origins.partition.cmp(&last.0) {
                Ordering::Less => origins.until,
                Ordering::Equal => last.1.saturating_add(1).clamp(origins.from, origins.until),
                Ordering::Greater => continue,
            };
            let here = if next == origins.until {
                *end
            } else {
                let since = origins.after.unwrap_or(self.at);
                let of_range = |(partition, offset): &&(i32, i64)| {
                    *partition == origins.partition && (origins.from..next).contains(offset)
                };
                let told = told.iter().filter(of_range).count() as i64;
                Stored {
                    next,
                    stored: end.stored - (range.expected - told),
                    updated: self.stored.get(&range.lane).map_or(since, |s| s.updated),
                    ..*end
                }
            };
            stored.insert(range.lane, here);
        }
        Self {
            at: self.at,
            stored,
        }
    }
}

impl Position {
    /// What lies between `self` and `later`.
    pub fn until(&self, later: &Self) -> Vec<Range> {
        let ranges = later.lanes.iter().filter_map(|(lane, mark)| {
            let from = self.lanes.get(lane).map_or(0, |mark| mark.next);
            let origins = Origins {
                partition: lane.partition,
                from,
                until: mark.next,
                after: Some(self.stored_since(*lane)),
            };
            let range = Range {
                lane: *lane,
                origins,
                expected: mark.next - from,
            };
            (from < mark.next).then_some(range)
        });
        ranges.collect()
    }
}

/// The lane whose new offsets a status is among.
pub fn lane_of(ranges: &[Range], partition: i32, offset: i64) -> Option<Lane> {
    let holds = |origins: &Origins| {
        origins.partition == partition && (origins.from..origins.until).contains(&offset)
    };
    let range = ranges.iter().find(|range| holds(&range.origins))?;
    Some(range.lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_847_330 + seconds, 0).unwrap()
    }

    fn lanes(seconds: i64, stored: &[(i32, i64, i64, i64)]) -> Lanes {
        let lane = |&(partition, first, next, stored): &(i32, i64, i64, i64)| {
            let stored = Stored {
                first,
                next,
                stored,
                updated: at(seconds),
            };
            (Lane::of("t", partition), stored)
        };
        Lanes {
            at: at(seconds),
            stored: stored.iter().map(lane).collect(),
        }
    }

    /// Partition, from, until and how many.
    fn ranges(
        before: &[(i32, i64, i64, i64)],
        now: &[(i32, i64, i64, i64)],
    ) -> Vec<(i32, i64, i64, i64)> {
        let ranges = lanes(0, before).until(&lanes(1, now));
        let shown = |range: &Range| {
            let origins = range.origins;
            (
                origins.partition,
                origins.from,
                origins.until,
                range.expected,
            )
        };
        ranges.iter().map(shown).collect()
    }

    #[test]
    fn what_is_new_lies_between_the_offsets() {
        assert_eq!(ranges(&[(0, 0, 5, 5)], &[(0, 0, 5, 5)]), []);
        assert_eq!(
            ranges(&[(0, 0, 5, 5), (1, 2, 9, 7)], &[(0, 0, 8, 7), (1, 2, 9, 7)]),
            [(0, 5, 8, 2)]
        );
    }

    #[test]
    fn a_lane_that_appears_is_new_from_its_start() {
        assert_eq!(ranges(&[], &[(3, 100, 104, 4)]), [(3, 100, 104, 4)]);
        assert_eq!(ranges(&[], &[(3, 100, 100, 0)]), []);
    }

    #[test]
    fn a_lane_that_was_sent_back_is_new_from_there_on() {
        assert_eq!(ranges(&[(0, 50, 90, 40)], &[(0, -40, 0, 40)]), []);
        assert_eq!(
            ranges(&[(0, 50, 90, 40)], &[(0, -40, 6, 46)]),
            [(0, 0, 6, 6)]
        );
        // It is beyond where it was by the time it is looked at.
        assert_eq!(
            ranges(&[(0, 50, 90, 40)], &[(0, -40, 95, 135)]),
            [(0, 0, 95, 95)]
        );
        let sent_back = lanes(0, &[(0, 50, 90, 40)]).until(&lanes(1, &[(0, -40, 6, 46)]));
        assert_eq!(
            sent_back[0].origins.after,
            Some(at(0)),
            "not what was stored before"
        );
        let moved = lanes(0, &[(0, 50, 90, 40)]).until(&lanes(1, &[(0, 50, 96, 46)]));
        assert!(moved[0].origins.after.unwrap() < at(0) - TimeDelta::seconds(1));
    }

    #[test]
    fn who_stands_between_two_looks_has_seen_some_lanes_wholly() {
        let before = lanes(0, &[(0, 0, 5, 5), (1, 0, 5, 5), (2, 0, 5, 5)]);
        let later = lanes(1, &[(0, 0, 9, 9), (1, 0, 9, 9), (2, 0, 9, 9)]);
        let here = before.on_the_way(&later, &before.until(&later), &[(0, 5), (0, 8), (1, 6)]);
        let rest = here.until(&later);
        let rest: Vec<_> = rest
            .iter()
            .map(|r| {
                (
                    r.origins.partition,
                    r.origins.from,
                    r.origins.until,
                    r.expected,
                )
            })
            .collect();
        assert_eq!(rest, [(1, 7, 9, 3), (2, 5, 9, 4)]);
    }

    #[test]
    fn a_lane_set_back_by_hand_is_followed_from_where_it_is() {
        let (before, back) = (lanes(0, &[(0, 0, 90, 40)]), lanes(1, &[(0, 0, 30, 10)]));
        assert_eq!(before.until(&back), []);
        let on = back.until(&lanes(2, &[(0, 0, 31, 11)]));
        assert_eq!((on[0].origins.from, on[0].origins.until), (30, 31));
    }
}
