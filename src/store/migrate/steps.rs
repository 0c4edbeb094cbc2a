use std::fmt;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use sea_orm_migration::MigratorTraitSelf;
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::prelude::{MigrationName, MigrationTrait, SchemaManager};

use super::{locks, m0007_host_ids, m0008_indexes, state};

/// Where a migration tells what it is doing, a line at a time.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Into the program's log.
    pub fn to_log() -> Self {
        Self::new(|line| tracing::info!("{line}"))
    }

    pub(super) fn tell(&self, line: impl AsRef<str>) {
        (self.0)(line.as_ref());
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// The step that a Go tracker's database has behind it.
const BASELINE: &str = "0001_baseline";

/// The step that creates `rejects`.
pub(super) const NEW_TABLES: &str = "0002_new_tables";

/// A step in plain SQL: one transaction, the record of it included.
struct Sql {
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

macro_rules! sql {
    ($name:literal) => {
        Box::new(Sql {
            name: $name,
            up: include_str!(concat!("../../../migrations/", $name, ".up.sql")),
            down: include_str!(concat!("../../../migrations/", $name, ".down.sql")),
        })
    };
}

/// Every step there is, in order.
fn all(progress: &Progress) -> Vec<Box<dyn MigrationTrait>> {
    vec![
        sql!("0001_baseline"),
        sql!("0002_new_tables"),
        sql!("0003_functions"),
        sql!("0004_names"),
        sql!("0005_payload_statuses"),
        sql!("0006_payloads"),
        Box::new(m0007_host_ids::HostIds(progress.clone())),
        Box::new(m0008_indexes::Indexes(progress.clone())),
        sql!("0009_fuses"),
        sql!("0010_rejects"),
        sql!("0011_upkeep"),
        sql!("0012_odd_offsets"),
        sql!("0013_explain"),
        sql!("0014_heard"),
    ]
}

impl MigrationName for Sql {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait]
impl MigrationTrait for Sql {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        // Its shape is checked before any step runs.
        if self.name == BASELINE && state::exists(db, "payloads").await? {
            return Ok(());
        }
        locks::execute_briefly(db, self.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        locks::execute_briefly(manager.get_connection(), self.down).await
    }
}

/// The steps, and where they tell what they do.
pub(super) struct Steps {
    pub progress: Progress,
}

impl Steps {
    pub fn new(progress: Progress) -> Self {
        Self { progress }
    }

    /// The names of all, in order.
    pub fn names(&self) -> Vec<String> {
        let steps = all(&self.progress);
        steps.iter().map(|step| step.name().to_owned()).collect()
    }

    /// The step of that name, if it is one that runs outside a transaction.
    pub fn outside(&self, name: &str) -> Option<Box<dyn MigrationTrait>> {
        all(&self.progress)
            .into_iter()
            .find(|step| step.name() == name && step.use_transaction() == Some(false))
    }

    /// Strikes a step off the record.
    pub async fn forget(&self, db: &DatabaseConnection, name: &str) -> Result<(), DbErr> {
        let statement = Statement::from_sql_and_values(
            db.get_database_backend(),
            "DELETE FROM seaql_migrations WHERE version = $1",
            [name.into()],
        );
        db.execute_raw(statement).await.map(drop)
    }
}

impl MigratorTraitSelf for Steps {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        all(&self.progress)
    }
}
