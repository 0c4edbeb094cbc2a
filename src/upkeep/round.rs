use std::time::Duration;

use chrono::Utc;
use sea_orm::sqlx;
use tokio::time::sleep;

use super::session::{self, Lock, Session};
use super::{Event, Limits, Task};
use crate::config::{Database, Retention};

/// Tries of a statement whose table is in use, with pauses that grow to 2 s.
const TRIES: u32 = 5;

/// Why a round did not do all it was to do. The next one does it.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error("no session for upkeep: {0}")]
    Session(#[source] sqlx::Error),
    #[error("the session of upkeep, and with it its lock, was lost: {0}")]
    Lost(#[source] sqlx::Error),
    /// What was said of each is in the events.
    #[error("upkeep could not finish: {}", names(.0))]
    Unfinished(Vec<Task>),
}

fn names(tasks: &[Task]) -> String {
    let names: Vec<_> = tasks.iter().map(|task| task.as_str()).collect();
    names.join(", ")
}

/// How a round ended that met no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Another process is at it.
    Elsewhere,
}

/// One round, in a session that holds the lock.
pub struct Round<'a> {
    pub(super) session: Session,
    pub(super) limits: Limits,
    tell: &'a mut (dyn FnMut(Event) + Send),
}

impl<'a> Round<'a> {
    /// Does all there is to do once, and tells of each step.
    ///
    /// May be dropped at any point: the next round goes on from there.
    ///
    /// # Errors
    ///
    /// [`UpkeepError`]; everything else was done.
    pub async fn run(
        database: &Database,
        retention: &Retention,
        tell: &'a mut (dyn FnMut(Event) + Send),
    ) -> Result<Outcome, UpkeepError> {
        let round = Self::do_all(database, retention, tell);
        session::unless_silent(database.answer_timeout(), round)
            .await
            .unwrap_or_else(|silent| Err(UpkeepError::Lost(silent)))
    }

    async fn do_all(
        database: &Database,
        retention: &Retention,
        tell: &'a mut (dyn FnMut(Event) + Send),
    ) -> Result<Outcome, UpkeepError> {
        let opened = Session::open(database, Lock::Upkeep)
            .await
            .map_err(UpkeepError::Session)?;
        let Some((session, now)) = opened else {
            return Ok(Outcome::Elsewhere);
        };
        // Nothing goes before both clocks say so.
        let limits = Limits::at(now.min(Utc::now()), retention);
        let mut round = Self {
            session,
            limits,
            tell,
        };
        round.tell(Event::Began);
        let failed = round.all_tasks().await?;
        round.session.close().await;
        if failed.is_empty() {
            Ok(Outcome::Done)
        } else {
            Err(UpkeepError::Unfinished(failed))
        }
    }

    /// One that fails keeps no other from being done, as long as the lock is held.
    async fn all_tasks(&mut self) -> Result<Vec<Task>, UpkeepError> {
        let mut failed = Vec::new();
        for task in Task::ALL {
            let Err(error) = self.perform(task).await else {
                continue;
            };
            self.tell(Event::Failed {
                task,
                error: error.to_string(),
            });
            if !self.session.is_alive().await {
                return Err(UpkeepError::Lost(error));
            }
            failed.push(task);
        }
        Ok(failed)
    }

    async fn perform(&mut self, task: Task) -> Result<(), sqlx::Error> {
        match task {
            Task::Leftovers => self.finish_leftovers().await,
            Task::Ahead => self.make_ahead().await,
            Task::Partitions => self.drop_expired().await,
            Task::Payloads => self.delete_payloads().await,
            Task::Rejects => self.delete_rejects().await,
            Task::Hours => self.delete_hours().await,
            Task::Learnt => self.delete_learnt().await,
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        (self.tell)(event);
    }
}

/// Counts how often a table was in use.
#[derive(Debug, Default)]
pub(super) struct Patience(u32);

impl Patience {
    /// Pauses so that the caller can try once more.
    ///
    /// # Errors
    ///
    /// `error` itself, where another try would not help or there were enough.
    pub async fn after(
        &mut self,
        error: sqlx::Error,
        name: &str,
        round: &mut Round<'_>,
    ) -> Result<(), sqlx::Error> {
        self.0 += 1;
        if !session::is_busy(&error) || self.0 == TRIES {
            return Err(error);
        }
        round.tell(Event::Busy {
            name: name.to_owned(),
            error: error.to_string(),
        });
        sleep(Duration::from_millis(500) * self.0).await;
        Ok(())
    }
}
