//! Names of services, sources and statuses to their ids.
//!
//! Names are made sure of before the batch's transaction, in statements of their own: a batch
//! that rolls back leaves no id behind that nobody else can see, and two consumers that meet a
//! new name at once do not wait for each other's batch.
//!
//! Each batch asks anew. No foreign key guards a status, and ids from memory would point nowhere, or at another
//! name, once the database is restored to an older state under a running consumer.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use sea_orm::sqlx::{self, PgPool};

use crate::status::{Message, Reason, Reject};

/// Serialises new names between processes; the number is the project's own.
const ADVISORY_LOCK: i64 = 0x7061_796c_6f61_6402;

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

    /// As many of the names `$1`, in their order, as are allowed beside those that are there.
    fn insert(self) -> &'static str {
        match self {
            Self::Service => {
                "INSERT INTO services (name) SELECT unnest($1::text[])
                  LIMIT greatest($2 - (SELECT count(*) FROM services), 0) ON CONFLICT DO NOTHING"
            }
            Self::Source => {
                "INSERT INTO sources (name) SELECT unnest($1::text[])
                  LIMIT greatest($2 - (SELECT count(*) FROM sources), 0) ON CONFLICT DO NOTHING"
            }
            Self::Status => {
                "INSERT INTO statuses (name) SELECT unnest($1::text[])
                  LIMIT greatest($2 - (SELECT count(*) FROM statuses), 0) ON CONFLICT DO NOTHING"
            }
        }
    }
}

impl fmt::Display for Kind {
    /// The message's field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Source => "source",
            Self::Status => "status",
        })
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
    /// The ids of every name in `batch`. Names that have none get one, as long as there are no more
    /// than `max_names` of a kind.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn of<'a>(
        pool: &PgPool,
        messages: impl Iterator<Item = &'a Message> + Clone,
        max_names: i64,
    ) -> Result<Self, sqlx::Error> {
        let services = messages.clone().map(|message| message.service.as_str());
        let sources = messages
            .clone()
            .filter_map(|message| message.source.as_deref());
        let statuses = messages.map(|message| message.status.as_str());
        let names = Names { pool, max_names };
        Ok(Self {
            services: names.look_up(Kind::Service, services.collect()).await?,
            sources: names.look_up(Kind::Source, sources.collect()).await?,
            statuses: names.look_up(Kind::Status, statuses.collect()).await?,
        })
    }

    /// The ids of a message's names, or `None` if one has none.
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

    /// A reject for a message of the batch one of whose names was one too many.
    pub fn refusal(&self, message: &Message, max_names: i64) -> Option<Reject> {
        let (kind, name) = self.too_many(message)?;
        Some(Reject {
            reason: Reason::TooManyNames,
            detail: format!(
                "{kind} is {name:?}, a new name; there are {max_names} different ones already, which is all that is allowed (MAX_NAMES)"
            ),
            service: Some(message.service.clone()),
            request_id: Some(message.request_id.clone()),
        })
    }

    fn too_many<'a>(&self, message: &'a Message) -> Option<(Kind, &'a str)> {
        let service = (
            Kind::Service,
            Some(message.service.as_str()),
            &self.services,
        );
        let source = (Kind::Source, message.source.as_deref(), &self.sources);
        let status = (Kind::Status, Some(message.status.as_str()), &self.statuses);
        [service, source, status]
            .into_iter()
            .filter_map(|(kind, name, ids)| Some((kind, name?, ids)))
            .find(|(_, name, ids)| !ids.contains_key(*name))
            .map(|(kind, name, _)| (kind, name))
    }
}

struct Names<'a> {
    pool: &'a PgPool,
    max_names: i64,
}

impl Names<'_> {
    /// Looks the names up, inserts those that are missing, and looks again: an insert that finds its
    /// row there would use up an id of the sequence. Names beyond the limit are not in the answer.
    ///
    /// The names are sorted, so that two consumers insert in the same order and cannot deadlock.
    async fn look_up(
        &self,
        kind: Kind,
        names: BTreeSet<&str>,
    ) -> Result<HashMap<String, i32>, sqlx::Error> {
        let names: Vec<&str> = names.into_iter().collect();
        let mut ids = select(self.pool, kind, &names).await?;
        let missing: Vec<&str> = names
            .into_iter()
            .filter(|name| !ids.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            self.insert(kind, &missing).await?;
            ids.extend(select(self.pool, kind, &missing).await?);
        }
        Ok(ids)
    }

    /// One process at a time: two that count at once would both find room for the last name.
    async fn insert(&self, kind: Kind, missing: &[&str]) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(ADVISORY_LOCK)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(kind.insert())
            .bind(missing)
            .bind(self.max_names)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
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
