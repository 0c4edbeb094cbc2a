//! The schema: brought up from nothing or from the Go tracker's, and back down to the Go tracker's.
//!
//! The steps are in `migrations/`: plain SQL, each one transaction, and Rust beside it for what
//! no transaction can hold. An applied step never changes.

mod error;
mod indexes;
mod locks;
mod session;
mod state;
mod steps;

// The Rust steps are compiled from here, not from a module tree under migrations/, so that all
// steps stay in one folder, in order, whatever they are written in.
#[path = "../../migrations/m0007_host_ids.rs"]
mod m0007_host_ids;
#[path = "../../migrations/m0008_indexes.rs"]
mod m0008_indexes;

use sea_orm::{DatabaseConnection, DbErr};
use sea_orm_migration::MigratorTraitSelf;
use sea_orm_migration::prelude::{MigrationTrait, SchemaManager};

pub use error::MigrateError;
use locks::Patience;
pub use state::State;
pub use steps::Progress;
use steps::Steps;

/// What [`down`] does with stored rejects, for which the Go tracker has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropRejects {
    /// Refuse while there are any.
    No,
    /// They are lost.
    Yes,
}

/// Whether steps are missing: then a binary can only say "run pt migrate up" and exit.
///
/// # Errors
///
/// As [`status`].
pub async fn pending(db: &DatabaseConnection) -> Result<bool, MigrateError> {
    Ok(match status(db).await? {
        State::Empty | State::GoTracker => true,
        State::Ours { pending, .. } => !pending.is_empty(),
    })
}

/// Whose database it is, and which steps it has had. Only reads.
///
/// # Errors
///
/// A database that is neither empty nor the Go tracker's nor ours is one; so is a server that is
/// too old.
pub async fn status(db: &DatabaseConnection) -> Result<State, MigrateError> {
    session::reach(db).await?;
    state::inspect(db, &Steps::new(Progress::to_log()).names()).await
}

/// Applies every pending step and gives their names; those that were there before are not named.
///
/// May be interrupted at any point and called again. A second call at the same time waits.
///
/// # Errors
///
/// As [`status`]; a step that the database refused, or for which it could not lock a table.
/// Steps before it stay applied.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, MigrateError> {
    up_telling(db, Progress::to_log()).await
}

/// [`up`], telling what it does as it goes.
///
/// # Errors
///
/// As [`up`].
pub async fn up_telling(
    db: &DatabaseConnection,
    progress: Progress,
) -> Result<Vec<String>, MigrateError> {
    let session = session::open(db, &progress).await?;
    let applied = apply_pending(&session, &Steps::new(progress)).await;
    session.close().await?;
    applied
}

async fn apply_pending(
    session: &DatabaseConnection,
    steps: &Steps,
) -> Result<Vec<String>, MigrateError> {
    let pending = match state::inspect(session, &steps.names()).await? {
        State::Empty | State::GoTracker => steps.names(),
        State::Ours { pending, .. } => pending,
    };
    for name in &pending {
        steps.progress.tell(format!("applying {name}"));
        apply_next(session, steps, name)
            .await
            .map_err(|error| MigrateError::of_step(name, error))?;
    }
    Ok(pending)
}

async fn apply_next(session: &DatabaseConnection, steps: &Steps, name: &str) -> Result<(), DbErr> {
    if steps.outside(name).is_some() {
        // It is patient itself, with each of its statements.
        return steps.up(session, Some(1)).await;
    }
    let mut patience = Patience::default();
    while let Err(error) = steps.up(session, Some(1)).await {
        patience.after(error).await?;
    }
    Ok(())
}

/// Gives the Go tracker its schema, keeping payloads and statuses. Lost are stored offsets, rejects,
/// each payload's host ids but the last ones, first and last days, and where statuses came from.
/// Statuses whose payload is gone are deleted.
///
/// May be interrupted and called again, as [`up`] may be called then. Gives the steps undone,
/// last applied first; none where the database is empty or the Go tracker's.
///
/// # Errors
///
/// As [`up`], and [`MigrateError::RejectsStored`].
pub async fn down(
    db: &DatabaseConnection,
    drop_rejects: DropRejects,
) -> Result<Vec<String>, MigrateError> {
    down_telling(db, drop_rejects, Progress::to_log()).await
}

/// [`down`], telling what it does as it goes.
///
/// # Errors
///
/// As [`down`].
pub async fn down_telling(
    db: &DatabaseConnection,
    drop_rejects: DropRejects,
    progress: Progress,
) -> Result<Vec<String>, MigrateError> {
    let session = session::open(db, &progress).await?;
    let undone = undo_applied(&session, &Steps::new(progress), drop_rejects).await;
    session.close().await?;
    undone
}

async fn undo_applied(
    session: &DatabaseConnection,
    steps: &Steps,
    drop_rejects: DropRejects,
) -> Result<Vec<String>, MigrateError> {
    let State::Ours { applied, pending } = state::inspect(session, &steps.names()).await? else {
        return Ok(Vec::new());
    };
    settle_rejects(session, &applied, drop_rejects).await?;
    // A step outside a transaction that was interrupted is not recorded, yet has done something.
    if let Some(interrupted) = pending.first()
        && steps.outside(interrupted).is_some()
    {
        undo(session, steps, interrupted).await?;
    }
    for name in applied.iter().rev() {
        steps.progress.tell(format!("undoing {name}"));
        undo(session, steps, name).await?;
    }
    MigratorTraitSelf::uninstall(steps, session).await?;
    Ok(applied.into_iter().rev().collect())
}

async fn undo(session: &DatabaseConnection, steps: &Steps, name: &str) -> Result<(), MigrateError> {
    let undone = match steps.outside(name) {
        Some(migration) => undo_outside(session, steps, migration.as_ref()).await,
        None => undo_in_transaction(session, steps).await,
    };
    undone.map_err(|error| MigrateError::of_step(name, error))
}

/// The record goes first: whatever comes next, up or down, then begins with this step.
async fn undo_outside(
    session: &DatabaseConnection,
    steps: &Steps,
    migration: &dyn MigrationTrait,
) -> Result<(), DbErr> {
    steps.forget(session, migration.name()).await?;
    migration.down(&SchemaManager::new(session)).await
}

async fn undo_in_transaction(session: &DatabaseConnection, steps: &Steps) -> Result<(), DbErr> {
    let mut patience = Patience::default();
    while let Err(error) = steps.down(session, Some(1)).await {
        patience.after(error).await?;
    }
    Ok(())
}

async fn settle_rejects(
    session: &DatabaseConnection,
    applied: &[String],
    drop_rejects: DropRejects,
) -> Result<(), MigrateError> {
    if !applied.iter().any(|name| name == steps::NEW_TABLES) {
        return Ok(());
    }
    match drop_rejects {
        DropRejects::Yes => {
            let truncated = locks::exclusively(&session.into(), "TRUNCATE rejects").await;
            truncated.map_err(|error| MigrateError::of_step(steps::NEW_TABLES, error))
        }
        DropRejects::No => {
            let count: i64 = locks::scalar(session, "SELECT count(*) FROM rejects").await?;
            match count {
                0 => Ok(()),
                count => Err(MigrateError::RejectsStored { count }),
            }
        }
    }
}

/// An error of a step's own, not the database's.
fn refused(reason: impl Into<String>) -> DbErr {
    DbErr::Migration(reason.into())
}
