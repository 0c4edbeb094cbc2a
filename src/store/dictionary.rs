//! Names of services, sources and statuses to their ids.
//!
//! Names are made sure of before the batch's transaction, in statements of their own: a batch
//! that rolls back leaves no id behind that nobody else can see, and two consumers that meet a
//! new name at once do not wait for each other's batch.
//!
//! Each batch asks anew. No foreign key guards a status, and ids from memory would point nowhere, or at another
//! name, once the database is restored to an older state under a running consumer.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sqlx::{self, PgPool};

use super::batch::Batch;
use crate::status::Message;

/// The three kinds of names, and the SQL of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Service,
    Source,
    Status,
}

impl Kind {
    fn select(self) -> &'static str {
        match self {
            Self::Service => "SELECT id, name FROM services WHERE name = ANY($1)",
            Self::Source => "SELECT id, name FROM sources WHERE name = ANY($1)",
            Self::Status => "SELECT id, name FROM statuses WHERE name = ANY($1)",
        }
    }

    fn insert(self) -> &'static str {
        match self {
            Self::Service => {
                "INSERT INTO services (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
            }
            Self::Source => {
                "INSERT INTO sources (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
            }
            Self::Status => {
                "INSERT INTO statuses (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
            }
        }
    }
}

/// The ids of a batch's names.
#[derive(Debug, Default)]
pub struct Dictionary {
    services: HashMap<String, i32>,
    sources: HashMap<String, i32>,
    statuses: HashMap<String, i32>,
}

/// The ids of one message's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameIds {
    pub service: i32,
    pub source: Option<i32>,
    pub status: i32,
}

impl Dictionary {
    /// The ids of every name in `batch`; names that have none get one.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn of(pool: &PgPool, batch: &Batch) -> Result<Self, sqlx::Error> {
        let messages = || batch.stored().map(|(_, stored)| &stored.message);
        let services = messages().map(|message| message.service.as_str());
        let sources = messages().filter_map(|message| message.source.as_deref());
        let statuses = messages().map(|message| message.status.as_str());
        Ok(Self {
            services: look_up(pool, Kind::Service, services.collect()).await?,
            sources: look_up(pool, Kind::Source, sources.collect()).await?,
            statuses: look_up(pool, Kind::Status, statuses.collect()).await?,
        })
    }

    /// The ids of a message's names, or `None` if it is not of the batch.
    pub fn ids(&self, message: &Message) -> Option<NameIds> {
        Some(NameIds {
            service: *self.services.get(&message.service)?,
            source: match &message.source {
                Some(source) => Some(*self.sources.get(source)?),
                None => None,
            },
            status: *self.statuses.get(&message.status)?,
        })
    }
}

/// Looks the names up, inserts those that are missing, and looks again: an insert that finds its
/// row there would use up an id of the sequence.
///
/// The names are sorted, so that two consumers insert in the same order and cannot deadlock.
async fn look_up(
    pool: &PgPool,
    kind: Kind,
    names: BTreeSet<&str>,
) -> Result<HashMap<String, i32>, sqlx::Error> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut ids = select(pool, kind, &names).await?;
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| !ids.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        sqlx::query(kind.insert())
            .bind(&missing)
            .execute(pool)
            .await?;
        ids.extend(select(pool, kind, &missing).await?);
    }
    Ok(ids)
}

async fn select(
    pool: &PgPool,
    kind: Kind,
    names: &[&str],
) -> Result<HashMap<String, i32>, sqlx::Error> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i32, String)> = sqlx::query_as(kind.select())
        .bind(names)
        .fetch_all(pool)
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (name, id)).collect())
}
