use std::time::Duration;

use rand::Rng;
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, DbErr, RuntimeErr, Statement, TransactionTrait, TryGetable,
};

/// While a statement waits for a table, everybody else waits behind it, so it does not wait long.
/// Yet longer than `deadlock_timeout` (1 s): only after that does the server cancel an autovacuum
/// that is in the way, which could otherwise hold a big table for hours.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1500ms'";

/// With pauses of up to 5 s: about two minutes.
pub(super) const ATTEMPTS: u32 = 40;

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Counts how often something was refused its locks.
#[derive(Default)]
pub(super) struct Patience {
    refused: u32,
}

impl Patience {
    /// Pauses, so that the caller can try once more.
    ///
    /// # Errors
    ///
    /// `error` itself, where another try would not help or there were enough.
    pub async fn after(&mut self, error: DbErr) -> Result<(), DbErr> {
        self.refused += 1;
        if !is_lock_refusal(&error) || self.refused == ATTEMPTS {
            return Err(error);
        }
        // Longer each time, and never quite the same, so as not to keep step with a periodic job.
        let longest = LONGEST_PAUSE.min(Duration::from_millis(250) * self.refused);
        let part = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(longest.mul_f64(part)).await;
        Ok(())
    }
}

/// Runs `sql` in the transaction that `db` is in; waits only briefly for each lock.
pub(super) async fn execute_briefly(db: &impl ConnectionTrait, sql: &str) -> Result<(), DbErr> {
    db.execute_unprepared(LOCK_TIMEOUT).await?;
    db.execute_unprepared(sql).await.map(drop)
}

/// Runs `sql` as a transaction of its own, again and again while it cannot have its locks.
pub(super) async fn exclusively(db: &DatabaseExecutor<'_>, sql: &str) -> Result<(), DbErr> {
    let mut patience = Patience::default();
    while let Err(error) = one_transaction(db, sql).await {
        patience.after(error).await?;
    }
    Ok(())
}

async fn one_transaction(db: &DatabaseExecutor<'_>, sql: &str) -> Result<(), DbErr> {
    let transaction = db.begin().await?;
    execute_briefly(&transaction, sql).await?;
    transaction.commit().await
}

/// `lock_not_available` and `deadlock_detected`.
pub(super) fn is_lock_refusal(error: &DbErr) -> bool {
    matches!(sql_state(error).as_deref(), Some("55P03" | "40P01"))
}

fn sql_state(error: &DbErr) -> Option<String> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            Some(error.as_database_error()?.code()?.into_owned())
        }
        _ => None,
    }
}

/// The one value that `sql` asks for.
pub(super) async fn scalar<T: TryGetable>(
    db: &impl ConnectionTrait,
    sql: &str,
) -> Result<T, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?;
    row.try_get_by_index(0)
}
