//! How the API reads the database: each question in a transaction of its own, tried again when the
//! database fails, cancelled when nobody waits for the answer any more.

use std::time::Duration;

use futures_util::future::BoxFuture;
use prometheus::Histogram;
use sea_orm::sqlx::{self, PgPool};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::config::Database;
use crate::store::lent::{Transaction, forget_idle, lend};
use crate::store::session::{self, Role};

/// How long one request tries again (contract, section 3).
const RETRY_FOR: Duration = Duration::from_secs(3);
/// For cancelling and for probes.
const SPARE_SESSIONS: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Short enough that a pool of sessions that all died with the server is replaced in time.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// What the statements of one question may take together, as each of them may.
const TAKES_AT_MOST: Duration = Duration::from_secs(2);
const CANCELLED_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// As long as a busy server takes, and short enough for another try on a session with one that answers.
const BEGINS_WITHIN: Duration = Duration::from_secs(1);
/// A session may have to be opened for it, and the server be busy.
const CANCELS_WITHIN: Duration = Duration::from_secs(2);
/// By then a question has its answer or was cancelled; a server that does not answer by now is gone.
const SERVER_ANSWERS_WITHIN: Duration = Duration::from_millis(4_500);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It took longer than 2 s.
    #[error("the database took longer than 2 s")]
    TooSlow,
    /// Somebody held what it needed for longer than the session's lock timeout of 1 s.
    #[error("the database waits for a lock")]
    Locked,
    /// It takes no such value, however often it is asked: one that was given, or what was made of it.
    #[error("the database refuses a value: {0}")]
    Refused(#[source] DbErr),
    #[error("the database failed: {0}")]
    Failed(#[from] DbErr),
    #[error("the database lends no session: {0}")]
    NoSession(#[from] sqlx::Error),
    #[error("the database does not answer")]
    Silent,
    /// Whoever asked has gone.
    #[error("nobody waits for the answer")]
    Abandoned,
}

impl ReadError {
    fn of(error: DbErr) -> Self {
        match sqlstate(&error).as_deref() {
            // query_canceled
            Some("57014") => Self::TooSlow,
            // lock_not_available
            Some("55P03") => Self::Locked,
            // data exceptions
            Some(code) if code.starts_with("22") => Self::Refused(error),
            _ => Self::Failed(error),
        }
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Failed(_) | Self::NoSession(_) | Self::Locked | Self::Silent => true,
            Self::TooSlow | Self::Refused(_) | Self::Abandoned => false,
        }
    }

    /// What a list answers; `narrow` names the parameter that makes it cheaper.
    pub fn of_list(self, narrow: &'static str) -> Problem {
        match self {
            Self::TooSlow | Self::Locked => Problem::TooWide(narrow),
            Self::Refused(_)
            | Self::Failed(_)
            | Self::NoSession(_)
            | Self::Silent
            | Self::Abandoned => self.problem(),
        }
    }

    /// What everything else answers. The cause is for the log, not for the client.
    pub fn problem(self) -> Problem {
        if let Self::Refused(_) = self {
            tracing::warn!(error = %self, "a request ends with 400");
            return Problem::RefusedByDatabase;
        }
        tracing::warn!(error = %self, "a request ends with 503");
        Problem::Unavailable("the database does not answer now: try again".to_owned())
    }
}

/// Sessions with one server.
#[derive(Clone)]
pub struct Sessions {
    lists: PgPool,
    lookups: PgPool,
    /// Cancels what runs on the others, which may all be taken when that is needed.
    spare: PgPool,
}

impl Sessions {
    /// Half of `DB_MAX_CONNECTIONS` for lists and half for lookups, which then are not held up by lists,
    /// and two more; `warm` of either stay open. Nothing is connected yet.
    pub fn with(database: &Database, warm: u32) -> Self {
        let some = |role, max_connections: u32, warm| {
            let database = Database {
                max_connections: max_connections.max(1),
                ..database.clone()
            };
            session::connect_warm(&database, role, warm)
        };
        let most = database.max_connections;
        Self {
            lists: some(Role::Api, most / 2, warm),
            lookups: some(Role::Lookup, most - most / 2, warm),
            spare: some(Role::Lookup, SPARE_SESSIONS, 0),
        }
    }

    /// Tells the sessions by which certificate the server is known, and opens those that are kept open.
    /// To be called, until it succeeds, before the first question.
    ///
    /// # Errors
    ///
    /// The server did not answer, or refused.
    pub async fn prepare(&self, database: &Database) -> Result<(), sqlx::Error> {
        for pool in [&self.lists, &self.lookups, &self.spare] {
            session::choose_authority(pool, database, Role::Api).await?;
            session::open_warm(pool).await?;
        }
        Ok(())
    }
}

/// Puts questions to the database.
#[derive(Clone)]
pub struct Reader {
    sessions: Sessions,
    seconds: Histogram,
}

impl Reader {
    /// `seconds` observes each try.
    pub fn new(sessions: Sessions, seconds: Histogram) -> Self {
        Self { sessions, seconds }
    }

    /// The sessions that are free even while all others wait for their answers.
    pub fn spare(&self) -> &PgPool {
        &self.sessions.spare
    }

    /// Asks `question` in a transaction, again for up to 3 s while the database fails.
    ///
    /// Dropping the future cancels the statement that runs at that moment.
    ///
    /// # Errors
    /// [`ReadError`]; a statement that took too long or is refused is not tried again.
    pub async fn read<T, Q>(&self, question: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: for<'s> Fn(&'s Transaction) -> BoxFuture<'s, Result<T, DbErr>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.insist(&self.sessions.lists, question).await
    }

    /// The same for what ids find: few rows, whichever ids they are, by statements that are always the
    /// same.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn look_up<T, Q>(&self, question: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: for<'s> Fn(&'s Transaction) -> BoxFuture<'s, Result<T, DbErr>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.insist(&self.sessions.lookups, question).await
    }

    async fn insist<T, Q>(&self, sessions: &PgPool, question: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: for<'s> Fn(&'s Transaction) -> BoxFuture<'s, Result<T, DbErr>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let deadline = Instant::now() + RETRY_FOR;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.attempt(sessions, question.clone(), deadline).await {
                Err(error) if error.is_transient() => error,
                settled => return settled,
            };
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::debug!(%error, "trying again");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The question runs in a task, which keeps the session until the statement has ended, even
    /// when the request is dropped. So what is cancelled is always this question, never the next
    /// one to get the session.
    async fn attempt<T, Q>(
        &self,
        sessions: &PgPool,
        question: Q,
        deadline: Instant,
    ) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: for<'s> Fn(&'s Transaction) -> BoxFuture<'s, Result<T, DbErr>> + Send + Sync + 'static,
    {
        let timer = self.seconds.start_timer();
        let gone = CancellationToken::new();
        let reader = self.clone();
        let task = {
            let (gone, sessions) = (gone.clone(), sessions.clone());
            tokio::spawn(async move { reader.ask(&sessions, question, deadline, gone).await })
        };
        let _gone_when_dropped = gone.drop_guard();
        let answer = task
            .await
            .unwrap_or_else(|ended| match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ReadError::Abandoned),
            });
        timer.observe_duration();
        answer
    }

    async fn ask<T, Q>(
        &self,
        sessions: &PgPool,
        question: Q,
        deadline: Instant,
        gone: CancellationToken,
    ) -> Result<T, ReadError>
    where
        Q: for<'s> Fn(&'s Transaction) -> BoxFuture<'s, Result<T, DbErr>>,
    {
        let session = begin(sessions, deadline, &gone).await?;
        let answered = timeout(SERVER_ANSWERS_WITHIN, self.ask_on(&session, question, gone));
        match answered.await {
            Ok(answer) => answer,
            Err(_) => {
                session.discard();
                forget_idle(sessions);
                Err(ReadError::Silent)
            }
        }
    }

    async fn ask_on<T, Q>(
        &self,
        session: &Transaction,
        question: Q,
        gone: CancellationToken,
    ) -> Result<T, ReadError>
    where
        Q: for<'s> Fn(&'s Transaction) -> BoxFuture<'s, Result<T, DbErr>>,
    {
        let pid = backend_pid(session).await.map_err(ReadError::of)?;
        let mut answer = question(session);
        tokio::select! {
            answer = &mut answer => return answer.map_err(ReadError::of),
            () = gone.cancelled() => {}
            () = sleep(TAKES_AT_MOST) => {}
        }
        loop {
            // Between two statements there is nothing to cancel.
            self.cancel(pid).await;
            if let Ok(answer) = timeout(CANCELLED_AGAIN_AFTER, &mut answer).await {
                return answer.map_err(ReadError::of);
            }
        }
    }

    async fn cancel(&self, pid: i32) {
        let spare = &self.sessions.spare;
        let cancelled = async {
            let mut session = lend(spare).await?;
            let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
            cancel.execute(&mut *session).await
        };
        // The statement timeout ends it otherwise.
        match timeout(CANCELS_WITHIN, cancelled).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a query that nobody waits for could not be cancelled");
            }
            Err(_) => forget_idle(spare),
        }
    }
}

async fn begin(
    sessions: &PgPool,
    deadline: Instant,
    gone: &CancellationToken,
) -> Result<Transaction, ReadError> {
    let session = tokio::select! {
        lent = timeout_at(deadline, lend(sessions)) => lent.map_err(|_| ReadError::Silent)??,
        () = gone.cancelled() => return Err(ReadError::Abandoned),
    };
    // Its end is waited for even when nobody wants it any more: the session would have to be closed.
    match timeout(BEGINS_WITHIN, Transaction::begin(session)).await {
        Ok(begun) => Ok(begun?),
        Err(_) => {
            forget_idle(sessions);
            Err(ReadError::Silent)
        }
    }
}

async fn backend_pid(session: &Transaction) -> Result<i32, DbErr> {
    let asked = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid()");
    let row = session.query_one_raw(asked).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("pg_backend_pid()".to_owned()))?
        .try_get_by_index(0)
}

fn sqlstate(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else {
        return None;
    };
    match cause {
        RuntimeErr::SqlxError(error) => match &**error {
            sqlx::Error::Database(refusal) => refusal.code().map(|code| code.into_owned()),
            _ => None,
        },
        RuntimeErr::Internal(_) => None,
    }
}
