//! What the stored offsets say about what is new.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use super::position::{Lane, Mark, Position};
use crate::store::entity::payload_statuses::Origins;

const LANES: &str = "
SELECT topic, partition, first_offset, o.next_offset, stored, updated_at,
       coalesce(odd.next_offset > o.next_offset, false) AS is_half_stored
  FROM consumer_offsets AS o LEFT JOIN odd_offsets AS odd USING (topic, partition)";

#[derive(FromQueryResult)]
struct Row {
    topic: String,
    partition: i32,
    first_offset: i64,
    next_offset: i64,
    stored: i64,
    updated_at: DateTime<Utc>,
    is_half_stored: bool,
}

/// A lane as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub mark: Mark,
    /// How many statuses were stored of it, ever.
    pub stored: i64,
    /// By when it was stored what was sent back, if it was seen to be.
    sent_back: Option<DateTime<Utc>>,
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
    /// Where they lead.
    pub end: Mark,
    /// How many statuses lie there, by the lane's counters.
    pub expected: i64,
}

impl Lanes {
    /// As they are stored at `at`, the beginning of the session's transaction. `before`: as they were seen last.
    ///
    /// # Errors
    /// Whatever the database answers.
    pub async fn read(
        at: DateTime<Utc>,
        before: Option<&Self>,
        session: &impl ConnectionTrait,
    ) -> Result<Self, DbErr> {
        let statement = Statement::from_string(DbBackend::Postgres, LANES);
        let rows = Row::find_by_statement(statement).all(session).await?;
        let stored = rows.into_iter().map(|row| {
            let lane = Lane::of(&row.topic, row.partition);
            let offsets = (row.first_offset, row.next_offset);
            let mark = Mark::stored(offsets, row.updated_at, at, row.is_half_stored);
            let before = before.and_then(|before| before.stored.get(&lane));
            (lane, Stored::new(mark, row.stored, before))
        });
        Ok(Self {
            at,
            stored: stored.collect(),
        })
    }

    pub fn position(&self) -> Position {
        let lanes = self.stored.iter();
        Position {
            at: self.at,
            lanes: lanes.map(|(lane, stored)| (*lane, stored.mark)).collect(),
        }
    }

    /// What came between `self` and `later`.
    pub fn until(&self, later: &Self) -> Vec<Range> {
        let mut ranges = self.position().until(&later.position());
        for range in &mut ranges {
            let stored = |lanes: &Self| lanes.stored.get(&range.lane).map_or(0, |s| s.stored);
            range.expected = stored(later) - stored(self);
        }
        ranges
    }

    /// Where whoever has seen the first of `ranges`, statuses of these partitions and offsets, stands on
    /// the way to `later`.
    pub fn on_the_way(&self, later: &Self, ranges: &[Range], told: &[(i32, i64)]) -> Self {
        let mut stored = self.stored.clone();
        let here = self.position().by(&later.position());
        let last = told.last().copied().unwrap_or((i32::MIN, 0));
        for range in ranges {
            let (Some(end), Some(mark)) =
                (later.stored.get(&range.lane), here.lanes.get(&range.lane))
            else {
                continue;
            };
            let origins = range.origins;
            let next = match origins.partition.cmp(&last.0) {
                Ordering::Less => origins.until,
                Ordering::Equal => last.1.saturating_add(1).clamp(origins.from, origins.until),
                Ordering::Greater => continue,
            };
            let here = if next == origins.until {
                *end
            } else {
                let of_range = |(partition, offset): &&(i32, i64)| {
                    *partition == origins.partition && (origins.from..next).contains(offset)
                };
                let told = told.iter().filter(of_range).count() as i64;
                Stored {
                    mark: Mark { next, ..*mark },
                    stored: end.stored - (range.expected - told),
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

impl Stored {
    fn new(mut mark: Mark, stored: i64, before: Option<&Self>) -> Self {
        let sent_back = before.and_then(|before| {
            let sinks = mark.first < before.mark.first;
            if sinks {
                Some(before.mark.moved)
            } else {
                before.sent_back
            }
        });
        // However lately that was: what was stored of these offsets by then was told.
        mark.since = sent_back.map_or(mark.since, |by| by.max(mark.since));
        Self {
            mark,
            stored,
            sent_back,
        }
    }
}

impl Position {
    /// What lies between `self` and `later`.
    pub fn until(&self, later: &Self) -> Vec<Range> {
        let here = self.by(later);
        let ranges = later.lanes.iter().filter_map(|(lane, end)| {
            let mark = here.lanes.get(lane)?;
            let origins = Origins {
                partition: lane.partition,
                from: mark.next,
                until: end.next,
                after: Some(mark.since),
            };
            let range = Range {
                lane: *lane,
                origins,
                end: *end,
                expected: end.next.saturating_sub(mark.next),
            };
            (mark.next < end.next).then_some(range)
        });
        ranges.collect()
    }
}

impl Range {
    /// That of `ranges` which a status is among.
    pub fn of(ranges: &[Self], partition: i32, offset: i64) -> Option<&Self> {
        let holds = |origins: &Origins| {
            origins.partition == partition && (origins.from..origins.until).contains(&offset)
        };
        ranges.iter().find(|range| holds(&range.origins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_847_330 + seconds, 0).unwrap()
    }

    fn lanes(seconds: i64, stored: &[(i32, i64, i64, i64)]) -> Lanes {
        lanes_after(None, seconds, stored)
    }

    fn lanes_after(before: Option<&Lanes>, seconds: i64, stored: &[(i32, i64, i64, i64)]) -> Lanes {
        let lane = |&(partition, first, next, stored): &(i32, i64, i64, i64)| {
            let lane = Lane::of("t", partition);
            let mark = Mark::new(first, next, at(seconds));
            let before = before.and_then(|before| before.stored.get(&lane));
            (lane, Stored::new(mark, stored, before))
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
