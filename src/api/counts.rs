//! Lists that were found to have more rows than are counted.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbBackend, EntityTrait, QueryTrait, Select};

use super::list::COUNTED_TO;
use super::reading::{ReadError, Reader};
use crate::store::entity::{Capped, count_capped};

/// Rows go with their day, so that a list that has more than are counted still has them a minute later.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Lists that are remembered.
const MOST: usize = 1_000;

/// Counts what lists have. Counting to 10,000 takes ten times as long as a page: the lists that have more,
/// which are those that are asked for most, are counted once a minute.
#[derive(Debug, Default)]
pub struct Counts {
    hasher: RandomState,
    /// By the hash of the query: which have more, and when that was found.
    capped: Mutex<HashMap<u64, Instant>>,
}

impl Counts {
    /// Counts the rows of `matching`, up to 10,000.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn of<E>(&self, matching: Select<E>, reader: &Reader) -> Result<Capped, ReadError>
    where
        E: EntityTrait,
        Select<E>: Send + Sync,
    {
        let counted = {
            let matching = matching.clone();
            reader
                .read(move |session| Box::pin(count_capped(matching.clone(), COUNTED_TO, session)))
        };
        self.remembering(&matching, counted).await
    }

    /// What `counted` says of `matching`, unless it is known to have more.
    ///
    /// # Errors
    /// Those of `counted`.
    pub async fn remembering<E: EntityTrait>(
        &self,
        matching: &Select<E>,
        counted: impl Future<Output = Result<Capped, ReadError>>,
    ) -> Result<Capped, ReadError> {
        let query = matching.build(DbBackend::Postgres).to_string();
        let key = self.hasher.hash_one(query);
        if self.is_capped(key, Instant::now()) {
            return Ok(Capped {
                count: COUNTED_TO,
                capped: true,
            });
        }
        let counted = counted.await?;
        if counted.capped {
            self.remember(key, Instant::now());
        }
        Ok(counted)
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

    async fn count(counts: &Counts, found: Capped) -> Capped {
        let all = payloads::Entity::find();
        let counted = counts.remembering(&all, async { Ok(found) });
        counted.await.unwrap()
    }

    #[tokio::test]
    async fn only_lists_with_more_are_not_counted_again() {
        let counts = Counts::default();
        let some = |count, capped| Capped { count, capped };
        for found in [some(7, false), some(10_000, false), some(10_000, true)] {
            assert_eq!(count(&counts, found).await, found);
        }
        assert_eq!(count(&counts, some(8, false)).await, some(10_000, true));
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
