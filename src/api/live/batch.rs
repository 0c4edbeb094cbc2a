//! Statuses on their way to listeners.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::DbErr;

use super::lanes::Range;
use super::position::Position;
use crate::api::names::Names;
use crate::api::params::Known;
use crate::api::reading::{ReadError, Reader};
use crate::api::statuses::Status;
use crate::store::entity::payload_ids::{self, Kind};
use crate::store::entity::{payload_statuses, payloads};
use crate::store::lent::Transaction;

/// How much of the heap one piece takes, about; a single status may take more.
const PIECE_BYTES: usize = 128 * 1024;

/// Rows, and what is needed to filter and to show them.
#[derive(Debug, Default)]
pub struct Batch {
    pub rows: Vec<payload_statuses::Model>,
    payloads: HashMap<i64, Arc<Payload>>,
}

#[derive(Debug)]
struct Payload {
    row: payloads::Model,
    hosts: Vec<(Kind, String)>,
}

/// A status, and where whoever has seen it stands.
#[derive(Debug)]
pub struct Event {
    /// Absent where the position cannot be said: among statuses in another order than that of lanes.
    pub id: Option<String>,
    /// Kafka partition and offset.
    pub origin: Option<(i32, i64)>,
    pub payload_id: i64,
    pub status: Status,
    /// The status as it is sent.
    pub json: String,
    payload: Arc<Payload>,
}

/// Events that are sent to all listeners at once.
#[derive(Debug)]
pub struct Chunk {
    /// Counts the chunks of a tailer.
    pub number: u64,
    pub events: Vec<Event>,
    /// Where whoever has seen all of them stands.
    pub after: Arc<Position>,
}

impl Event {
    pub fn known(&self) -> Known<'_> {
        Known {
            payload: &self.payload.row,
            hosts: &self.payload.hosts,
        }
    }

    fn size(&self) -> usize {
        // The message is there twice; hosts may be shared, but they may be many.
        let hosts = self.payload.hosts.len() * 64;
        512 + 2 * self.json.len() + hosts + self.id.as_ref().map_or(0, String::len)
    }
}

impl Batch {
    /// Adds the payloads of these rows.
    ///
    /// # Errors
    /// Whatever the database answers.
    pub async fn load(
        rows: Vec<payload_statuses::Model>,
        session: &Transaction,
    ) -> Result<Self, DbErr> {
        if rows.is_empty() {
            return Ok(Self::default());
        }
        let ids: BTreeSet<i64> = rows.iter().map(|row| row.payload_id).collect();
        let found = payloads::with_ids(ids.iter().copied()).all(session).await?;
        let mut hosts: HashMap<i64, Vec<(Kind, String)>> = HashMap::new();
        for named in payload_ids::of_payloads(ids).all(session).await? {
            let of_payload = hosts.entry(named.payload_id).or_default();
            of_payload.push((named.kind, named.value));
        }
        let payloads = found.into_iter().map(|row| {
            let hosts = hosts.remove(&row.id).unwrap_or_default();
            (row.id, Arc::new(Payload { row, hosts }))
        });
        Ok(Self {
            payloads: payloads.collect(),
            rows,
        })
    }

    /// The rows as events, in their order. One whose payload has vanished meanwhile is left out.
    ///
    /// # Errors
    /// The database fails on a name that is not known yet.
    pub async fn named(self, names: &Names, reader: &Reader) -> Result<Vec<Event>, ReadError> {
        let ids = self.rows.iter().collect();
        let names = names.of(ids, reader).await?;
        let event = |row: payload_statuses::Model| {
            let payload = Arc::clone(self.payloads.get(&row.payload_id)?);
            let payload_id = row.payload_id;
            let origin = row.origin();
            let status = Status::of(row, payload.row.request_id.clone(), &names);
            Some(Event {
                id: None,
                origin,
                payload_id,
                // Text and numbers: there is nothing in it that JSON could not say.
                json: serde_json::to_string(&status).unwrap_or_default(),
                status,
                payload,
            })
        };
        Ok(self.rows.into_iter().filter_map(event).collect())
    }
}

/// Gives ids to events that are in the order of `ranges`: `position` passes each of them.
pub fn number(events: &mut [Event], ranges: &[Range], position: &mut Position) {
    for event in events {
        if pass(event.origin, ranges, position) {
            event.id = Some(position.encode());
        }
    }
}

/// `position` passes a status of that origin, if it is among `ranges`.
pub fn pass(origin: Option<(i32, i64)>, ranges: &[Range], position: &mut Position) -> bool {
    let Some((partition, offset)) = origin else {
        return false;
    };
    let Some(range) = Range::of(ranges, partition, offset) else {
        return false;
    };
    position.pass(range.lane, offset, range.end);
    true
}

/// Cuts events into pieces of a bounded size; there is at least one, perhaps empty.
pub fn pieces(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut pieces = vec![Vec::new()];
    let mut size = 0;
    for event in events {
        size += event.size();
        match pieces.last_mut() {
            Some(piece) if size <= PIECE_BYTES || piece.is_empty() => piece.push(event),
            _ => {
                size = event.size();
                pieces.push(vec![event]);
            }
        }
    }
    pieces
}
