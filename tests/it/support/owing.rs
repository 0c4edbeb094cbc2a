use std::time::Duration;

use sea_orm::sqlx::{AssertSqlSafe, Executor, PgPool, PgTransaction, query_scalar};

use super::{Proxy, eventually};

/// A table that whoever asks for waits.
pub struct Owing {
    pool: PgPool,
    holder: PgTransaction<'static>,
}

impl Owing {
    pub async fn of(table: &str, pool: &PgPool) -> Self {
        let mut holder = pool.begin().await.unwrap();
        let lock = AssertSqlSafe(format!("LOCK TABLE {table}"));
        holder.execute(lock).await.unwrap();
        Self {
            pool: pool.clone(),
            holder,
        }
    }

    /// Lets the server vanish once it has taken a question of this application's and owes the answer.
    pub async fn vanish(self, application: &str, proxy: &Proxy) {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = $1 AND wait_event_type = 'Lock'";
        eventually("an answer is owed", Duration::from_secs(30), || async {
            let waiting = query_scalar(waiting).bind(application);
            let waiting: i64 = waiting.fetch_one(&self.pool).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        proxy.vanish();
        self.holder.rollback().await.unwrap();
    }
}
