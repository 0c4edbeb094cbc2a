use sea_orm::{DbErr, sqlx};

use super::locks;

/// Why the schema was not changed, or not all the way.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("{0}")]
    Database(#[from] DbErr),
    #[error("{0}")]
    Session(#[from] sqlx::Error),
    /// No session with the server.
    #[error("cannot reach database {database}: {source}")]
    Unreachable {
        database: String,
        source: sqlx::Error,
    },
    /// A step of ours failed; it changed nothing, or can be run again.
    #[error("migration {step}: {source}")]
    Step { step: String, source: DbErr },
    /// Other transactions held a table all the time.
    #[error(
        "migration {step}: could not lock a table in {} tries, a long transaction holds it \
         (see pg_stat_activity); try again later: {source}",
        locks::ATTEMPTS
    )]
    Locked { step: String, source: DbErr },
    #[error("PostgreSQL {found} is too old: 14 or newer is needed")]
    ServerTooOld { found: String },
    /// Same-named tables, but not those that can be taken over.
    #[error("this is not a Payload Tracker database, nothing was changed: {difference}")]
    Unknown { difference: String },
    #[error(
        "schema_migrations holds {found}; only a Go tracker database at version 1, dirty false, \
         can be taken over, nothing was changed"
    )]
    GoTrackerVersion { found: String },
    #[error(
        "migration {name} is applied but not known to this pt: the database belongs to a newer pt \
         or to another program, nothing was changed"
    )]
    UnknownStep { name: String },
    #[error(
        "rejects are stored ({count}) and the Go tracker has no place for them, nothing was changed: \
         keep what you need of table rejects, then give --drop-rejects to lose them"
    )]
    RejectsStored { count: i64 },
}

impl MigrateError {
    pub(super) fn of_step(step: &str, source: DbErr) -> Self {
        let step = step.to_owned();
        if locks::is_lock_refusal(&source) {
            Self::Locked { step, source }
        } else {
            Self::Step { step, source }
        }
    }
}
