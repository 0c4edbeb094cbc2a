//! The session of a round: it holds the advisory lock and does all the work, so that whoever loses
//! the one has lost the other.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::time::{Instant, sleep};

use super::stride::LONGEST;
use crate::config::Database;
use crate::store::failure::{self, Failure};
use crate::store::session::{self, Role};

/// What one process at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    Upkeep,
    Learning,
}

impl Lock {
    /// The numbers are the project's own.
    fn take(self) -> &'static str {
        match self {
            Self::Upkeep => "SELECT pg_try_advisory_lock(8097887111620944899), now()",
            Self::Learning => "SELECT pg_try_advisory_lock(8097887111620944900), now()",
        }
    }
}

const RELEASE: &str = "SELECT pg_advisory_unlock_all()";

pub struct Session(PgConnection);

impl Session {
    /// A session that holds the lock, with the time by the server's clock; `None` while another
    /// holds it.
    pub async fn open(
        database: &Database,
        lock: Lock,
    ) -> Result<Option<(Self, DateTime<Utc>)>, sqlx::Error> {
        let mut connection = session::open(database, Role::Upkeep).await?;
        let asked = sqlx::query_as(lock.take()).fetch_one(&mut connection);
        let (locked, now): (bool, DateTime<Utc>) = asked.await?;
        Ok(locked.then_some((Self(connection), now)))
    }

    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.0
    }

    /// Runs statements as they are, unprepared: several are one transaction, and one that allows
    /// no transaction is in none.
    pub async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0);
        done.await.map(drop)
    }

    /// From now on the server ends a statement that takes longer than a step may.
    pub async fn hurry(&mut self) -> Result<(), sqlx::Error> {
        let millis = LONGEST.as_millis();
        self.execute(format!("SET statement_timeout = {millis}"))
            .await
    }

    /// The end of [`Session::hurry`].
    pub async fn take_time(&mut self) -> Result<(), sqlx::Error> {
        self.execute("RESET statement_timeout".into()).await
    }

    /// Whether it is still there, and with it the lock.
    pub async fn is_alive(&mut self) -> bool {
        self.0.execute("SELECT 1").await.is_ok()
    }

    /// Gives the lock back: once this returns, the next may have it. The server would notice the end
    /// of the session only some time after it.
    pub async fn close(mut self) {
        // A session that is broken has given it back.
        self.execute(RELEASE.into()).await.ok();
        self.0.close().await.ok();
    }
}

/// What comes of `work`, unless for as long as `limit` nothing of it goes on: no answer, no end of a pause.
/// However many statements it has, a host that vanished is noticed at the one it left unanswered.
///
/// To be awaited in a task where nothing else goes on that wakes it all the time.
///
/// # Errors
///
/// It was silent. The work is dropped, and with it its session.
pub async fn unless_silent<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, sqlx::Error> {
    let (mut work, mut silence) = (pin!(work), pin!(sleep(limit)));
    poll_fn(|context| {
        let is_silent = silence.as_mut().poll(context).is_ready();
        match work.as_mut().poll(context) {
            Poll::Ready(done) => return Poll::Ready(Ok(done)),
            Poll::Pending if is_silent => {
                return Poll::Ready(Err(sqlx::Error::Io(ErrorKind::TimedOut.into())));
            }
            Poll::Pending => silence.as_mut().reset(Instant::now() + limit),
        }
        Poll::Pending
    })
    .await
}

/// Whether a table was in use (lock not available, deadlock), and the same again may succeed.
pub fn is_busy(error: &sqlx::Error) -> bool {
    matches!(failure::sqlstate(error).as_deref(), Some("55P03" | "40P01"))
}

/// Whether the server ended the statement for taking too long.
pub fn is_slow(error: &sqlx::Error) -> bool {
    failure::classify(error) == Failure::Timeout
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn work_that_goes_on_may_take_long_and_silence_ends_it() {
        let long = async {
            for _ in 0..20 {
                sleep(LIMIT / 10).await;
            }
        };
        assert!(unless_silent(LIMIT, long).await.is_ok());
        let silent = async {
            sleep(LIMIT / 2).await;
            std::future::pending::<()>().await;
        };
        let begun = Instant::now();
        assert!(unless_silent(LIMIT, silent).await.is_err());
        assert!(begun.elapsed() >= LIMIT * 3 / 2, "{:?}", begun.elapsed());
    }
}
