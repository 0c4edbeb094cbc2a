//! What a listener that came back has missed, read from the database piece by piece.

use std::sync::Arc;

use sea_orm::QuerySelect;

use super::Shared;
use super::batch::{self, Batch, Event};
use super::position::Position;
use super::watch::Watch;
use crate::api::reading::ReadError;
use crate::store::entity::Span;
use crate::store::entity::payload_statuses::{self, StatusQuery};

/// How many statuses a listener is told of at most. Of more it is told that there were more.
const MOST: usize = 10_000;

/// How many are read at once.
const PIECE: usize = 200;

/// Why something is not told.
pub const TOO_MANY: &str = "more than 10000 statuses were missed";
pub const TOO_LONG_AGO: &str = "what was missed takes the database longer than 2 s to find";

/// The way of a listener from where it left to where it listens again.
pub struct Missed {
    from: Position,
    until: Arc<Position>,
    told: usize,
}

/// The next piece.
pub enum Piece {
    /// There may be more.
    Some(Vec<Event>),
    /// The last one.
    Last(Vec<Event>),
    Skipped(&'static str),
}

impl Missed {
    pub fn between(from: Position, until: Arc<Position>) -> Self {
        Self {
            from: from.by(&until),
            until,
            told: 0,
        }
    }

    /// When the listener was told of something last, and when it listened again.
    pub fn span(&self) -> (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>) {
        (self.from.at, self.until.at)
    }

    /// # Errors
    /// The database fails; the same call again goes on.
    pub async fn next(&mut self, watch: &Watch, shared: &Shared) -> Result<Piece, ReadError> {
        let ranges = self.from.until(&self.until);
        if ranges.is_empty() {
            return Ok(Piece::Last(Vec::new()));
        }
        let Some(matching) = watch.matching(shared).await? else {
            return Ok(Piece::Last(Vec::new()));
        };
        let origins: Vec<_> = ranges.iter().map(|range| range.origins).collect();
        let since = origins.iter().filter_map(|origins| origins.after).min();
        let piece = matching
            .coming_from(&origins)
            .stored_within(&Span {
                gte: since,
                ..Span::default()
            })
            .in_order_of_origin()
            .limit(PIECE as u64)
            .shortened();
        // Never closed.
        let _turn = shared.catching_up.acquire().await;
        let read = shared.reader.read(move |session| {
            let piece = piece.clone();
            Box::pin(async move { Batch::load(piece.all(session).await?, session).await })
        });
        let batch = match read.await {
            Err(ReadError::TooSlow) => return Ok(Piece::Skipped(TOO_LONG_AGO)),
            read => read?,
        };
        let count = batch.rows.len();
        if self.told + count > MOST {
            return Ok(Piece::Skipped(TOO_MANY));
        }
        let last = batch.rows.last().and_then(payload_statuses::Model::origin);
        let mut events = batch.named(&shared.names, &shared.reader).await?;
        batch::number(&mut events, &ranges, &mut self.from);
        // Also where its payload has vanished, and it is no event.
        batch::pass(last, &ranges, &mut self.from);
        self.told += count;
        Ok(if count < PIECE {
            Piece::Last(events)
        } else {
            Piece::Some(events)
        })
    }
}
