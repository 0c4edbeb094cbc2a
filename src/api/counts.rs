//! Lists that were found to have more rows than are counted.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbBackend, EntityTrait, QueryTrait, Select};

use super::list::COUNTED_TO;
use crate::store::entity::Capped;

/// Rows go with their day, so that a list that has more than are counted still has them a minute later.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Lists that are remembered.
const MOST: usize = 1_000;

/// What is known of how many rows lists of payloads and statuses have. Counting to 10,000 takes ten times as
/// long as a page: the lists that have more, which are those that are asked for most, are counted once a minute.
#[derive(Debug, Default)]
pub struct Counts {
    hasher: RandomState,
    /// By the hash of the query: which have more, and when that was found.
    capped: Mutex<HashMap<u64, Instant>>,
}

impl Counts {
    /// What is known of `matching` without counting.
    pub fn known<E: EntityTrait>(&self, matching: &Select<E>) -> Option<Capped> {
        let is_capped = self.is_capped(self.key(matching), Instant::now());
        is_capped.then_some(Capped {
            count: COUNTED_TO,
            capped: true,
        })
    }

    /// What `matching` was found to have; not what was known, or that would never be found out anew.
    pub fn learn<E: EntityTrait>(&self, matching: &Select<E>, counted: Capped) {
        if counted.capped {
            self.remember(self.key(matching), Instant::now());
        }
    }

    fn key<E: EntityTrait>(&self, matching: &Select<E>) -> u64 {
        let query = matching.build(DbBackend::Postgres).to_string();
        self.hasher.hash_one(query)
    }

    fn is_capped(&self, key: u64, now: Instant) -> bool {
        self.lock()
            .get(&key)
            .is_some_and(|found| now.duration_since(*found) < REMEMBERED_FOR)
    }

    fn remember(&self, key: u64, now: Instant) {
        let mut capped = self.lock();
        if capped.len() >= MOST {
            capped.retain(|_, found| now.duration_since(*found) < REMEMBERED_FOR);
        }
        if capped.len() >= MOST {
            capped.clear();
        }
        capped.insert(key, now);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        // Nothing panics while it is held.
        self.capped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entity::payloads;

    #[test]
    fn only_of_lists_with_more_something_is_known() {
        let counts = Counts::default();
        let (all, one) = (payloads::Entity::find(), payloads::with_ids([1]));
        let some = |count, capped| Capped { count, capped };
        counts.learn(&all, some(10_000, false));
        assert_eq!(counts.known(&all), None);
        counts.learn(&all, some(10_000, true));
        assert_eq!(counts.known(&all), Some(some(10_000, true)));
        assert_eq!(counts.known(&one), None);
    }

    #[test]
    fn a_list_is_remembered_for_a_minute() {
        let counts = Counts::default();
        let now = Instant::now();
        counts.remember(1, now);
        assert!(counts.is_capped(1, now + Duration::from_secs(59)));
        assert!(!counts.is_capped(1, now + Duration::from_secs(60)));
        assert!(!counts.is_capped(2, now));
    }

    #[test]
    fn as_many_are_remembered_as_there_may_be() {
        let counts = Counts::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(61);
        (0..500).for_each(|key| counts.remember(key, now));
        (500..1_500).for_each(|key| counts.remember(key, later));
        assert!(!counts.is_capped(0, later));
        assert!(counts.is_capped(500, later) && counts.is_capped(1_499, later));
        counts.remember(1_500, later);
        assert_eq!(counts.lock().len(), 1);
    }
}
