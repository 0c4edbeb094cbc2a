//! What one session writes of a batch.

use sea_orm::sqlx::PgTransaction;

use super::outcome::{Clock, WriteError};
use crate::store::batch::{Lane, Part, Rejected, Stored};
use crate::store::dictionary::{Dictionary, NameIds};
use crate::store::parity::Parity;
use crate::store::{fold, statements};

/// Messages and rejects, lane by lane.
#[derive(Debug)]
pub struct Rows<'a> {
    stored: Vec<(Lane, &'a Stored)>,
    rejected: Vec<(Lane, &'a Rejected)>,
}

impl<'a> Rows<'a> {
    /// Those of the parts that `takes` by lane, offset and parity.
    pub fn of(parts: &[(Lane, &'a Part)], takes: impl Fn(Lane, i64, Parity) -> bool) -> Self {
        let mut rows = Self {
            stored: Vec::new(),
            rejected: Vec::new(),
        };
        for (lane, part) in parts {
            for stored in &part.stored {
                let parity = Parity::of(&stored.message.request_id);
                if takes(*lane, stored.offset, parity) {
                    rows.stored.push((*lane, stored));
                }
            }
            for rejected in &part.rejected {
                if takes(*lane, rejected.offset, Parity::of_reject(&rejected.reject)) {
                    rows.rejected.push((*lane, rejected));
                }
            }
        }
        rows
    }

    /// Writes payloads, host ids, statuses and rejects; answers of how many different payloads.
    pub async fn write(
        self,
        transaction: &mut PgTransaction<'_>,
        topic: &str,
        dictionary: &Dictionary,
        clock: &mut Clock,
    ) -> Result<usize, WriteError> {
        let payloads = self.write_statuses(transaction, dictionary, clock).await?;
        if !self.rejected.is_empty() {
            statements::insert_rejects(transaction, topic, &self.rejected).await?;
        }
        clock.lap(|timings| &mut timings.rejects);
        Ok(payloads)
    }

    async fn write_statuses(
        &self,
        transaction: &mut PgTransaction<'_>,
        dictionary: &Dictionary,
        clock: &mut Clock,
    ) -> Result<usize, WriteError> {
        let messages = self.stored.iter().map(|(_, stored)| &stored.message);
        let payloads = fold::by_request_id(messages);
        if payloads.is_empty() {
            return Ok(0);
        }
        let ids = statements::put_payloads(transaction, &payloads).await?;
        if ids.len() < payloads.len() {
            return Err(WriteError::Vanished);
        }
        clock.lap(|timings| &mut timings.payloads);
        statements::insert_host_ids(transaction, &payloads, &ids).await?;
        clock.lap(|timings| &mut timings.host_ids);
        let rows = self.stored.iter().map(|(lane, stored)| {
            let names = dictionary.ids(&stored.message)?;
            let payload_id = ids.get(&stored.message.request_id)?;
            Some(status_row(*lane, stored, *payload_id, names))
        });
        let rows: Option<Vec<_>> = rows.collect();
        let mut rows = rows.ok_or(WriteError::Vanished)?;
        // Neighbours in the indexes by date come one after the other. Lanes would mix them.
        rows.sort_by_key(|row| row.date);
        statements::insert_statuses(transaction, &rows).await?;
        clock.lap(|timings| &mut timings.statuses);
        Ok(payloads.len())
    }
}

fn status_row(
    lane: Lane,
    stored: &Stored,
    payload_id: i64,
    names: NameIds,
) -> statements::StatusRow<'_> {
    statements::StatusRow {
        payload_id,
        names,
        status_msg: stored.message.status_msg.as_deref(),
        date: stored.message.date,
        lane,
        offset: stored.offset,
    }
}
