//! What is counted when upkeep does something.

use std::iter;

use chrono::Utc;

use super::UpkeepMetrics;
use crate::upkeep::{Event, Outcome, UpkeepError};

impl UpkeepMetrics {
    /// Something happened in a round.
    pub fn happened(&self, event: &Event) {
        match event {
            Event::Began => self.running.set(1),
            Event::Span { oldest, newest } => {
                self.partitions_from
                    .set(oldest.map_or(0, |at| at.timestamp()));
                self.partitions_until
                    .set(newest.map_or(0, |at| at.timestamp()));
            }
            Event::Made { .. } => self.partitions_made.inc(),
            Event::Dropped { .. } => self.partitions_dropped.inc(),
            Event::Step { deleted, held } => {
                self.step_seconds.observe(held.as_secs_f64());
                let own = (deleted.table, deleted.rows);
                for (table, rows) in iter::once(own).chain(deleted.dependents) {
                    let counter = self.deleted_rows.with_label_values(&[table.name()]);
                    counter.inc_by(rows);
                }
            }
            Event::Failed { task, .. } => {
                self.failures.with_label_values(&[task.as_str()]).inc();
            }
            Event::Default { .. }
            | Event::Covered { .. }
            | Event::Refused { .. }
            | Event::Busy { .. }
            | Event::Detached { .. }
            | Event::Slow { .. }
            | Event::Walked { .. } => {}
        }
    }

    /// A round ended.
    pub fn ended(&self, ended: &Result<Outcome, UpkeepError>) {
        let outcome = match ended {
            Ok(Outcome::Done) => {
                self.last_success.set(Utc::now().timestamp());
                "done"
            }
            Ok(Outcome::Elsewhere) => "elsewhere",
            Err(_) => "failed",
        };
        self.running.set(0);
        self.rounds.with_label_values(&[outcome]).inc();
    }
}
