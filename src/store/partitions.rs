//! Day partitions of `payload_statuses`, made before the rows that need them.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sea_orm::sqlx::{self, PgPool};

/// Serialises partition statements between processes; the number is the project's own.
const ADVISORY_LOCK: i64 = 0x7061_796c_6f61_6401;

/// The UTC days this process knows to have a partition.
#[derive(Debug, Default)]
pub struct Partitions {
    made: BTreeSet<NaiveDate>,
}

impl Partitions {
    /// Makes sure that every day of `dates` has a partition.
    ///
    /// # Errors
    ///
    /// What the database answers; `55P03` where a long transaction holds the table.
    pub async fn ensure(
        &mut self,
        pool: &PgPool,
        dates: impl Iterator<Item = DateTime<Utc>>,
    ) -> Result<(), sqlx::Error> {
        let missing: BTreeSet<NaiveDate> = dates
            .map(|date| date.date_naive())
            .filter(|day| !self.made.contains(day))
            .collect();
        for day in missing {
            create(pool, day).await?;
            self.made.insert(day);
        }
        Ok(())
    }

    /// Forgets what it knew: a partition it remembered was dropped by someone else.
    pub fn forget(&mut self) {
        self.made.clear();
    }
}

/// `create_partition` reads the catalogue and makes what is missing of the day. Attaching waits
/// for whoever reads the table, and everyone else then waits behind it: hence the short timeout.
async fn create(pool: &PgPool, day: NaiveDate) -> Result<(), sqlx::Error> {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    let mut transaction = pool.begin().await?;
    sqlx::query("SET LOCAL lock_timeout = '2s'")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(ADVISORY_LOCK)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT create_partition($1, $2)")
        .bind(start)
        .bind(start + Days::new(1))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
