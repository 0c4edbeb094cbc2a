//! Names of services, sources and statuses, remembered in the process: they are few, never renamed,
//! and looking them up here saves three joins a query.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::params::Filter;
use super::reading::{ReadError, Reader};
use crate::store::entity::{payload_statuses, services, sources, statuses};

/// So long names are remembered: after the restore of an older database an id may be another name's.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The three kinds of names.
pub struct Names {
    pub services: Dictionary<services::Entity>,
    pub sources: Dictionary<sources::Entity>,
    pub statuses: Dictionary<statuses::Entity>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            services: Dictionary::of(services::Column::Id, services::Column::Name),
            sources: Dictionary::of(sources::Column::Id, sources::Column::Name),
            statuses: Dictionary::of(statuses::Column::Id, statuses::Column::Name),
        }
    }
}

impl Names {
    /// The names behind `ids`.
    ///
    /// # Errors
    /// When the database fails on one that is not known yet.
    pub async fn of(&self, ids: Ids, reader: &Reader) -> Result<NamesById, ReadError> {
        Ok(NamesById {
            services: self.services.names(ids.services, reader).await?,
            sources: self.sources.names(ids.sources, reader).await?,
            statuses: self.statuses.names(ids.statuses, reader).await?,
        })
    }
}

/// What some rows hold in place of names.
#[derive(Debug, Default)]
pub struct Ids {
    pub services: BTreeSet<i32>,
    pub sources: BTreeSet<i32>,
    pub statuses: BTreeSet<i32>,
}

impl<'s> FromIterator<&'s payload_statuses::Model> for Ids {
    fn from_iter<I: IntoIterator<Item = &'s payload_statuses::Model>>(rows: I) -> Self {
        let mut ids = Self::default();
        for row in rows {
            ids.services.insert(row.service_id);
            ids.sources.extend(row.source_id);
            ids.statuses.insert(row.status_id);
        }
        ids
    }
}

/// The names that some rows need; an id without a name, or with an empty one, has none.
#[derive(Debug)]
pub struct NamesById {
    services: HashMap<i32, Arc<str>>,
    sources: HashMap<i32, Arc<str>>,
    statuses: HashMap<i32, Arc<str>>,
}

impl NamesById {
    pub fn service(&self, id: i32) -> Option<String> {
        self.services.get(&id).map(ToString::to_string)
    }

    pub fn source(&self, id: Option<i32>) -> Option<String> {
        self.sources.get(&id?).map(ToString::to_string)
    }

    pub fn status(&self, id: i32) -> Option<String> {
        self.statuses.get(&id).map(ToString::to_string)
    }
}

/// The names of one table that were met so far. Only what is found is remembered, so that a name a
/// consumer adds later is found then.
pub struct Dictionary<E: EntityTrait> {
    id: E::Column,
    name: E::Column,
    known: RwLock<Known>,
}

struct Known {
    names: HashMap<i32, Arc<str>>,
    ids: HashMap<Arc<str>, i32>,
    since: Instant,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            names: HashMap::new(),
            ids: HashMap::new(),
            since: Instant::now(),
        }
    }
}

impl<E: EntityTrait> Dictionary<E> {
    fn of(id: E::Column, name: E::Column) -> Self {
        Self {
            id,
            name,
            known: RwLock::default(),
        }
    }

    async fn names(
        &self,
        ids: BTreeSet<i32>,
        reader: &Reader,
    ) -> Result<HashMap<i32, Arc<str>>, ReadError> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        self.with_known(|known| {
            for id in ids {
                match known.names.get(&id) {
                    Some(name) => drop(found.insert(id, Arc::clone(name))),
                    None => unknown.push(id),
                }
            }
        });
        if !unknown.is_empty() {
            found.extend(self.learn(reader, self.id.eq_any(unknown)).await?);
        }
        found.retain(|_, name| !name.is_empty());
        Ok(found)
    }

    /// A filter on a name as a filter on its id; a name that nobody ever sent matches nothing.
    ///
    /// # Errors
    /// When the database fails on one that is not known yet.
    pub async fn ids(
        &self,
        name: Filter<String>,
        reader: &Reader,
    ) -> Result<Filter<i32>, ReadError> {
        let Filter::One(name) = name else {
            return Ok(name.and_then(|_| None));
        };
        let mut id = None;
        self.with_known(|known| id = known.ids.get(name.as_str()).copied());
        if id.is_none() {
            id = self
                .learn(reader, self.name.eq(name))
                .await?
                .into_iter()
                .map(|(id, _)| id)
                .next();
        }
        Ok(id.map_or(Filter::Nothing, Filter::One))
    }

    async fn learn(
        &self,
        reader: &Reader,
        wanted: sea_orm::sea_query::Expr,
    ) -> Result<Vec<(i32, Arc<str>)>, ReadError> {
        let rows = E::find()
            .select_only()
            .column(self.id)
            .column(self.name)
            .filter(wanted);
        let learnt: Vec<(i32, String)> = reader
            .look_up(move |session| {
                let rows = rows.clone();
                Box::pin(async move { rows.into_tuple().all(session).await })
            })
            .await?;
        let learnt: Vec<(i32, Arc<str>)> = learnt
            .into_iter()
            .map(|(id, name)| (id, name.into()))
            .collect();
        // Nothing panics while it is held, and whatever it holds is true.
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (id, name) in &learnt {
            known.names.insert(*id, Arc::clone(name));
            known.ids.insert(Arc::clone(name), *id);
        }
        Ok(learnt)
    }

    fn forget_if_old(&self, now: Instant) {
        let is_old = |known: &Known| now.duration_since(known.since) > KEPT_FOR;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let was_old = is_old(&known);
        drop(known);
        if was_old {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            *known = Known::default();
        }
    }

    fn with_known(&self, look: impl FnOnce(&Known)) {
        self.forget_if_old(Instant::now());
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner));
    }
}
