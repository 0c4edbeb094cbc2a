//! Sessions on loan from a pool, which has them back soon or closed.
//!
//! A server that vanishes without a word, with its power or its network, leaves sessions that look open
//! until the kernel gives up, a quarter of an hour later. sqlx asks what comes back to a pool whether it
//! lives, and for as long its place is taken: so whoever lends says how long that may take.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgPool, PgTransactionManager};
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection, Executor, PgConnection, PgTransaction, Postgres,
};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use sqlx_core::transaction::TransactionManager;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// What a session may take to end what it began and say so.
pub const BACK_WITHIN: Duration = Duration::from_secs(2);

/// A session on loan.
#[derive(Debug)]
pub struct Lent {
    session: PoolConnection<Postgres>,
    is_doubtful: bool,
}

/// Lends a session.
///
/// # Errors
///
/// None was free or could be opened within the pool's time.
pub async fn lend(pool: &PgPool) -> Result<Lent, sqlx::Error> {
    let session = pool.acquire().await?;
    Ok(Lent {
        session,
        is_doubtful: false,
    })
}

/// Closes what idles in the pool, for when one of its sessions fell silent: the server that did not
/// answer that one answers no other either, and each would be another wait.
pub fn forget_idle(pool: &PgPool) {
    while let Some(idle) = pool.try_acquire() {
        drop(idle.detach());
    }
}

impl Lent {
    /// # Errors
    ///
    /// What the server answers. The session is closed then, as when nobody waits for the end of this: sqlx
    /// rolls back what has begun, but not what was dropped while it began, and the session would go to the
    /// next one with a transaction open.
    pub async fn begin(&mut self) -> Result<PgTransaction<'_>, sqlx::Error> {
        self.is_doubtful = true;
        let begun = self.session.begin().await?;
        self.is_doubtful = false;
        Ok(begun)
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.session
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.session
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Unless it runs to its end it holds the session, and closes that when it is dropped.
        let back = self.session.return_to_pool();
        if !self.is_doubtful {
            tokio::spawn(timeout(BACK_WITHIN, back));
        }
    }
}

/// A transaction in which sea-orm asks; it is rolled back when it is dropped. sea-orm's own gives its
/// session back as sqlx does.
#[derive(Debug)]
pub struct Transaction(Mutex<Lent>);

impl Transaction {
    /// # Errors
    ///
    /// As with [`Lent::begin`].
    pub async fn begin(mut session: Lent) -> Result<Self, sqlx::Error> {
        session.is_doubtful = true;
        PgTransactionManager::begin(&mut session, None).await?;
        session.is_doubtful = false;
        Ok(Self(Mutex::new(session)))
    }

    /// Closes the session, of which nothing is heard.
    pub fn discard(mut self) {
        self.0.get_mut().is_doubtful = true;
    }

    async fn session(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // It goes out with the question whether the session lives.
        PgTransactionManager::start_rollback(self.0.get_mut());
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut session = self.session().await;
        let done = prepared(&statement).execute(&mut **session).await;
        done.map(Into::into).map_err(failed)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut session = self.session().await;
        let done = (**session).execute(AssertSqlSafe(sql.to_owned())).await;
        done.map(Into::into).map_err(failed)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut session = self.session().await;
        let row = prepared(&statement).fetch_optional(&mut **session).await;
        row.map(|row| row.map(Into::into)).map_err(failed)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut session = self.session().await;
        let rows = prepared(&statement).fetch_all(&mut **session).await;
        rows.map(|rows| rows.into_iter().map(Into::into).collect())
            .map_err(failed)
    }
}

fn prepared(statement: &Statement) -> Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
