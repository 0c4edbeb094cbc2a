//! The database that is filled.

use sea_orm::sqlx::{self, AssertSqlSafe, PgPool};
use sea_orm::{DatabaseConnection, sqlx::Executor};
use uuid::Uuid;

use super::report::Rows;
use crate::cli::Failure;
use crate::config;
use crate::store::migrate;
use crate::store::session::{self, Role};

/// A migrated database of the run's own, on the configured server.
pub(super) struct Database {
    /// As the environment has it, but for the name.
    pub config: config::Database,
    /// Sessions without time limits.
    pub pool: PgPool,
    db: DatabaseConnection,
    /// Where databases are made from.
    home: PgPool,
}

impl Database {
    /// # Errors
    ///
    /// The server lets none be made.
    pub(super) async fn make(mut config: config::Database) -> Result<Self, Failure> {
        let home = open(&config).await;
        config.name = format!("pt_bench_{}", Uuid::new_v4().simple());
        execute(&home, format!("CREATE DATABASE {}", config.name)).await?;
        let db = session::connect(&config, Role::Migrate);
        let pool = db.get_postgres_connection_pool().clone();
        // What stands in its way the first session meets too, and says better.
        session::choose_authority(&pool, &config, Role::Migrate)
            .await
            .ok();
        let database = Self {
            config,
            pool,
            db,
            home,
        };
        match migrate::up(&database.db).await {
            Ok(_) => Ok(database),
            Err(error) => {
                database.remove().await?;
                Err(error.into())
            }
        }
    }

    /// Drops it, whoever is still connected.
    ///
    /// # Errors
    ///
    /// The server refuses: the database is left behind.
    pub(super) async fn remove(self) -> Result<(), Failure> {
        let name = &self.config.name;
        self.pool.close().await;
        execute(&self.home, format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
            .map_err(|error| Failure::work(format!("the database {name} is left behind: {error}")))
    }

    /// Lets nothing that was written before be paid for by what is measured next.
    pub(super) async fn settle(&self) -> Result<(), Failure> {
        self.pool
            .execute("VACUUM (ANALYZE) payloads, payload_ids, payload_statuses, rejects, producer_hours, reject_hours")
            .await?;
        // Allowed to superusers only; without it the numbers are a little worse.
        self.pool.execute("CHECKPOINT").await.ok();
        Ok(())
    }

    /// Messages of a topic that became statuses.
    pub(super) async fn stored(&self, topic: &str) -> Result<u64, Failure> {
        let stored: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(stored), 0)::bigint FROM consumer_offsets WHERE topic = $1",
        )
        .bind(topic)
        .fetch_one(&self.pool)
        .await?;
        Ok(stored.unsigned_abs())
    }

    pub(super) async fn rows(&self) -> Result<Rows, Failure> {
        let (payloads, payload_ids, payload_statuses) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM payloads), (SELECT count(*) FROM payload_ids),
                    (SELECT count(*) FROM payload_statuses)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Rows {
            payloads,
            payload_ids,
            payload_statuses,
        })
    }
}

async fn open(config: &config::Database) -> PgPool {
    let db = session::connect(config, Role::Migrate);
    let pool = db.get_postgres_connection_pool().clone();
    session::choose_authority(&pool, config, Role::Migrate)
        .await
        .ok();
    pool
}

/// Names are made here, not given.
async fn execute(pool: &PgPool, sql: String) -> Result<(), sqlx::Error> {
    pool.execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .map(drop)
}
