//! Days that have expired: detached without blocking anybody, then dropped.
//!
//! A partition is noted before it is detached. A detached one is a table like any other, which its
//! name alone would not tell from somebody's own: only what is noted is dropped.

use std::time::Instant;

use sea_orm::sqlx;
use sea_orm::sqlx::postgres::types::Oid;

use super::round::{Patience, Round};
use super::{Event, Partition};

const NOTED: &str = "SELECT relid, name FROM expired_partitions ORDER BY noted_at, name";

const NOTE: &str = "
INSERT INTO expired_partitions (relid, name) VALUES ($1, $2)
ON CONFLICT (relid) DO UPDATE SET name = excluded.name, noted_at = now()";

const FORGET: &str = "DELETE FROM expired_partitions WHERE relid = $1";

/// An oid may be given out again, and who renames a table, or makes it a part of another, keeps it.
const STATE: &str = "
SELECT CASE
           WHEN child.oid IS NULL THEN 'gone'
           WHEN inhparent IS NULL THEN 'alone'
           WHEN inhparent <> 'public.payload_statuses'::regclass THEN 'gone'
           WHEN inhdetachpending THEN 'pending'
           ELSE 'attached'
       END
  FROM (SELECT $1::oid AS relid, $2::text AS name) AS noted
  LEFT JOIN pg_class AS child
    ON child.oid = relid AND child.oid::regclass::text = name AND relkind IN ('r', 'p')
  LEFT JOIN pg_inherits ON inhrelid = child.oid";

/// At most one partition can be half detached, and while it is no other can begin.
const PENDING: &str = "
SELECT inhrelid, inhrelid::regclass::text FROM pg_inherits
 WHERE inhparent = 'public.payload_statuses'::regclass AND inhdetachpending";

/// What the catalogue says of a partition on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attached,
    /// An interrupted DETACH CONCURRENTLY has hidden it from new statements.
    Pending,
    /// A table of its own.
    Alone,
    /// Dropped, or somebody else's now.
    Gone,
}

/// A partition on its way out.
#[derive(Clone, Debug)]
struct Leaving {
    oid: Oid,
    name: String,
}

impl Round<'_> {
    /// What a crash, or somebody who waited in vain, left half-way.
    pub(super) async fn finish_leftovers(&mut self) -> Result<(), sqlx::Error> {
        for pending in self.leaving(PENDING).await? {
            self.detach(&pending, false).await?;
        }
        for noted in self.leaving(NOTED).await? {
            if self.state(&noted).await? == State::Alone {
                self.drop_table(&noted, 0).await?;
            }
            self.forget(&noted).await?;
        }
        Ok(())
    }

    pub(super) async fn drop_expired(&mut self) -> Result<(), sqlx::Error> {
        let partitions = self.partitions().await?;
        if let Some(default) = partitions.default() {
            let name = default.name.clone();
            self.tell(Event::Default { name });
        }
        let openly = partitions.default().is_some();
        let mut refused = Ok(());
        for partition in partitions.expired(self.limits.keep_from()) {
            if let Err(error) = self.expire(partition, openly).await {
                self.tell(Event::Refused {
                    name: partition.name.clone(),
                    error: error.to_string(),
                });
                refused = refused.and(Err(error));
            }
        }
        let (oldest, newest) = self.partitions().await?.ends();
        self.tell(Event::Span { oldest, newest });
        refused
    }

    async fn expire(&mut self, partition: &Partition, openly: bool) -> Result<(), sqlx::Error> {
        let leaving = Leaving {
            oid: partition.oid,
            name: partition.name.clone(),
        };
        let noted = sqlx::query(NOTE)
            .bind(leaving.oid)
            .bind(&leaving.name)
            .execute(self.session.connection());
        noted.await?;
        if self.detach(&leaving, openly).await? {
            self.drop_table(&leaving, partition.rows).await?;
        }
        self.forget(&leaving).await
    }

    /// True once it is a table of its own, and false if it is not ours any more.
    ///
    /// CONCURRENTLY waits for the transactions that use the table, and nobody waits behind it. It is
    /// not to be had beside a default partition: then the table is locked `openly`, for an instant.
    async fn detach(&mut self, leaving: &Leaving, openly: bool) -> Result<bool, sqlx::Error> {
        let begun = Instant::now();
        let mut patience = Patience::default();
        let from = format!(
            "ALTER TABLE public.payload_statuses DETACH PARTITION {}",
            leaving.name
        );
        loop {
            let sql = match self.state(leaving).await? {
                State::Gone => return Ok(false),
                State::Alone => break,
                State::Pending => format!("{from} FINALIZE"),
                State::Attached if openly => format!("SET LOCAL lock_timeout = '200ms'; {from}"),
                State::Attached => format!("{from} CONCURRENTLY"),
            };
            if let Err(error) = self.session.execute(sql).await {
                patience.after(error, &leaving.name, self).await?;
            }
        }
        self.tell(Event::Detached {
            name: leaving.name.clone(),
            took: begun.elapsed(),
        });
        Ok(true)
    }

    async fn drop_table(&mut self, leaving: &Leaving, rows: i64) -> Result<(), sqlx::Error> {
        let mut patience = Patience::default();
        loop {
            let sql = format!("DROP TABLE {}", leaving.name);
            let Err(error) = self.session.execute(sql).await else {
                break;
            };
            patience.after(error, &leaving.name, self).await?;
        }
        let name = leaving.name.clone();
        self.tell(Event::Dropped { name, rows });
        Ok(())
    }

    async fn leaving(&mut self, sql: &'static str) -> Result<Vec<Leaving>, sqlx::Error> {
        let asked = sqlx::query_as(sql).fetch_all(self.session.connection());
        let rows: Vec<(Oid, String)> = asked.await?;
        let leaving = rows.into_iter().map(|(oid, name)| Leaving { oid, name });
        Ok(leaving.collect())
    }

    async fn state(&mut self, leaving: &Leaving) -> Result<State, sqlx::Error> {
        let asked = sqlx::query_scalar(STATE)
            .bind(leaving.oid)
            .bind(&leaving.name)
            .fetch_one(self.session.connection());
        let state: String = asked.await?;
        Ok(match state.as_str() {
            "attached" => State::Attached,
            "pending" => State::Pending,
            "alone" => State::Alone,
            _ => State::Gone,
        })
    }

    async fn forget(&mut self, leaving: &Leaving) -> Result<(), sqlx::Error> {
        let done = sqlx::query(FORGET)
            .bind(leaving.oid)
            .execute(self.session.connection());
        done.await.map(drop)
    }
}
