//! What one session writes of a batch.

use sea_orm::sqlx::PgTransaction;

use super::outcome::{Clock, WriteError};
use crate::status::Message;
use crate::store::batch::{Lane, Part, Rejected};
use crate::store::dictionary::Dictionary;
use crate::store::parity::Parity;
use crate::store::{fold, statements};

/// A message that becomes a status, and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    pub lane: Lane,
    pub offset: i64,
    pub message: &'a Message,
}

/// Messages and rejects, lane by lane.
#[derive(Debug)]
pub struct Rows<'a> {
    stored: Vec<Placed<'a>>,
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
                    rows.stored.push(Placed {
                        lane: *lane,
                        offset: stored.offset,
                        message: &stored.message,
                    });
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
        let payloads = write_statuses(transaction, &self.stored, dictionary, clock).await?;
        if !self.rejected.is_empty() {
            statements::insert_rejects(transaction, topic, &self.rejected).await?;
        }
        clock.lap(|timings| &mut timings.rejects);
        Ok(payloads)
    }
}

/// Writes payloads, host ids and statuses; answers of how many different payloads.
pub async fn write_statuses(
    transaction: &mut PgTransaction<'_>,
    placed: &[Placed<'_>],
    dictionary: &Dictionary,
    clock: &mut Clock,
) -> Result<usize, WriteError> {
    let payloads = fold::by_request_id(placed.iter().map(|placed| placed.message));
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
    let rows = placed.iter().map(|placed| {
        Some(statements::StatusRow {
            payload_id: *ids.get(&placed.message.request_id)?,
            names: dictionary.ids(placed.message)?,
            status_msg: placed.message.status_msg.as_deref(),
            date: placed.message.date,
            lane: placed.lane,
            offset: placed.offset,
        })
    });
    let rows: Option<Vec<_>> = rows.collect();
    let mut rows = rows.ok_or(WriteError::Vanished)?;
    // Neighbours in the indexes by date come one after the other. Lanes would mix them.
    rows.sort_by_key(|row| row.date);
    statements::insert_statuses(transaction, &rows).await?;
    clock.lap(|timings| &mut timings.statuses);
    Ok(payloads.len())
}
