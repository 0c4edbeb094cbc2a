//! The task that writes: whole batches as a rule, halves of one that the database refuses.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use sea_orm::sqlx;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::health::{Health, Task};
use super::intake::Close;
use super::pauses::Pauses;
use super::{Closed, Report};
use crate::store::batch::Batch;
use crate::store::failure::Failure;
use crate::store::halving::{self, Halved, Refusal};
use crate::store::writer::{WriteError, Writer, Written};
use crate::telemetry::metrics::{Attempt, ConsumerMetrics};

/// A batch that runs into the server's statement timeout so often in a row is itself to blame.
const TIMEOUTS: u32 = 2;

pub struct Writing {
    pub writer: Writer,
    pub metrics: Arc<ConsumerMetrics>,
    pub health: Health,
    pub answer_timeout: Duration,
}

impl Writing {
    /// Until nothing more comes.
    pub async fn run(
        mut self,
        mut closed: UnboundedReceiver<Closed>,
        report: mpsc::Sender<Report>,
    ) {
        while let Some(Closed { batch, reason }) = closed.recv().await {
            let written = self.write_in_pieces(batch, reason).await;
            if report.send(Report::Written(written)).is_err() {
                break;
            }
        }
    }

    /// Tries until every message of the batch is a status or a reject, or its lane is another's.
    async fn write_in_pieces(&mut self, batch: Batch, reason: Close) -> Written {
        let mut done = Written::default();
        let mut reason = reason.as_str();
        // The earliest last.
        let mut pieces = vec![batch];
        while let Some(mut piece) = pieces.pop() {
            // What follows on a piece that was not written, or must not be read on, cannot be either.
            piece
                .parts
                .retain(|lane, _| !done.lost.contains_key(lane) && !done.blown.contains_key(lane));
            if piece.is_empty() {
                continue;
            }
            match self.write(&mut piece, reason).await {
                Ok(written) => done.extend(written),
                Err(refusal) => {
                    reason = "bisection";
                    self.metrics.bisections.inc();
                    pieces.extend(halve(piece, &refusal));
                }
            }
        }
        done
    }

    /// Tries until the piece is committed, or refused for a row's sake.
    async fn write(&mut self, piece: &mut Batch, reason: &str) -> Result<Written, Refusal> {
        let mut pauses = Pauses::new();
        let mut timeouts = 0;
        loop {
            let begun = Instant::now();
            let error = match timeout(self.answer_timeout, self.writer.write(piece)).await {
                Ok(Ok((written, timings))) => {
                    self.health.database_back(Task::Writing);
                    let attempt = Attempt {
                        close: reason,
                        taken: begun.elapsed(),
                        timings: &timings,
                    };
                    self.metrics.committed(piece, &written, &attempt);
                    return Ok(written);
                }
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into(),
            };
            let failure = error.failure();
            self.metrics.refused(failure);
            self.writer.failed(failure);
            timeouts = match failure {
                Failure::Timeout => timeouts + 1,
                _ => 0,
            };
            let is_poison = failure == Failure::Poison || timeouts >= TIMEOUTS;
            // Rejects and offsets the database has to take: without a message no row is to blame.
            if is_poison && piece.stored().next().is_some() {
                return Err(error.refusal());
            }
            self.wait(&error, failure);
            pauses.wait().await;
        }
    }

    fn wait(&self, error: &WriteError, failure: Failure) {
        if matches!(failure, Failure::Stalled | Failure::Poison) {
            error!(%error, "the database refuses the batch: it is held until somebody mends that");
        } else {
            warn!(%error, "the batch waits for the database");
        }
        self.health.database_away(Task::Writing, error.to_string());
    }
}

/// The pieces to go on with, the earlier one last.
fn halve(piece: Batch, refusal: &Refusal) -> Vec<Batch> {
    let Refusal { sqlstate, message } = refusal;
    match halving::halve(piece, refusal) {
        Halved::Halves(earlier, later) => {
            let messages = earlier.len() + later.len();
            info!(
                sqlstate,
                message, messages, "the database refuses the batch: its halves are tried"
            );
            vec![later, earlier]
        }
        Halved::Rejected(rejected) => {
            warn!(
                sqlstate,
                message, "the database refuses a message alone: it becomes a reject"
            );
            vec![rejected]
        }
    }
}
