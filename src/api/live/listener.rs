//! One stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse;
use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep, sleep_until};

use super::batch::{Chunk, Event};
use super::missed::{Missed, Piece};
use super::position::Position;
use super::presence::{End, Line, Presence};
use super::watch::Watch;
use super::{Ear, Live};
use crate::api::render;

/// After so long without a status a listener is told where it stands: whoever comes back from there is
/// quickly told what it missed. Half of it between other signs of life, which go on without the database.
pub const BEAT: Duration = Duration::from_secs(15);

/// How long a listener that is to be told what it missed waits for a database that fails.
const AGAIN: Duration = Duration::from_secs(1);

/// How soon a client comes back, unless it has a mind of its own.
const RETRY: Duration = Duration::from_secs(1);

/// What a request waits on.
pub struct Listener {
    live: Live,
    watch: Watch,
    ear: Ear,
    /// What is to be told at once.
    waiting: VecDeque<sse::Event>,
    /// What is to be told before anything new.
    missed: Option<Missed>,
    /// A chunk, and how many of its events were looked at.
    chunk: Option<(Arc<Chunk>, usize)>,
    position: Arc<Position>,
    /// The listener has the id of `position`.
    is_told: bool,
    beat: Instant,
    presence: Presence,
}

/// How a listener comes.
pub struct Joining {
    pub(super) ear: Ear,
    pub line: Line,
    /// The last event's id, of one that comes back.
    pub came_from: Option<Position>,
}

/// What came next.
enum Next {
    Chunk(Arc<Chunk>),
    Beat,
    End(End),
}

impl Listener {
    /// `first`: what is told before anything else.
    pub(super) fn new(
        live: Live,
        watch: Watch,
        Joining {
            ear,
            line,
            came_from,
        }: Joining,
        first: impl IntoIterator<Item = Event>,
    ) -> Self {
        let position = Arc::clone(&ear.told.position);
        let missed = came_from.map(|from| Missed::between(from, Arc::clone(&position)));
        let mut waiting: VecDeque<_> = first.into_iter().map(|event| status(&event)).collect();
        waiting.push_front(sse::Event::default().retry(RETRY));
        let presence = Presence::begin(live.0.metrics.clone(), line);
        let mut listener = Self {
            live,
            watch,
            ear,
            waiting,
            missed,
            chunk: None,
            position,
            is_told: false,
            beat: Instant::now() + BEAT,
            presence,
        };
        if listener.missed.is_none() {
            listener.tell_position();
        }
        listener
    }

    /// The events of the stream.
    pub fn events(self) -> impl Stream<Item = sse::Event> {
        stream::unfold(self, |mut listener| async move {
            let event = listener.next().await?;
            Some((event, listener))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.presence.has_ended() {
                return None;
            }
            if self.missed.is_some() {
                self.catch_up().await;
            } else if let Some(event) = self.of_chunk() {
                return Some(event);
            } else {
                self.hear().await;
            }
        }
    }

    /// The next event of the chunk that is being told.
    fn of_chunk(&mut self) -> Option<sse::Event> {
        let (chunk, looked_at) = self.chunk.as_mut()?;
        while let Some(event) = chunk.events.get(*looked_at) {
            *looked_at += 1;
            if self.watch.admits(event) {
                self.is_told = false;
                self.beat = Instant::now() + BEAT;
                return Some(status(event));
            }
        }
        if self.position != chunk.after {
            self.position = Arc::clone(&chunk.after);
            self.is_told = false;
        }
        self.chunk = None;
        None
    }

    async fn hear(&mut self) {
        let next = tokio::select! {
            biased;
            () = self.live.0.stop.cancelled() => Next::End(End::Stopping),
            heard = self.ear.chunks.recv() => match heard {
                Ok(chunk) => Next::Chunk(chunk),
                Err(RecvError::Lagged(_)) => Next::End(End::TooSlow),
                Err(RecvError::Closed) => Next::End(End::Broken),
            },
            () = sleep_until(self.beat) => Next::Beat,
        };
        match next {
            // What the tailer had told before this listener knew where it stood.
            Next::Chunk(chunk) if chunk.number <= self.ear.told.number => {}
            Next::Chunk(chunk) => self.chunk = Some((chunk, 0)),
            Next::Beat => {
                self.beat = Instant::now() + BEAT;
                if !self.is_told {
                    self.tell_position();
                }
            }
            Next::End(end) => self.end(end),
        }
    }

    async fn catch_up(&mut self) {
        let Some(mut missed) = self.missed.take() else {
            return;
        };
        let piece = tokio::select! {
            biased;
            () = self.live.0.stop.cancelled() => return self.end(End::Stopping),
            // Apart, for it is large, and most listeners never need it.
            piece = Box::pin(missed.next(&self.watch, &self.live.0)) => piece,
        };
        match piece {
            Ok(Piece::Some(events)) => {
                self.waiting.extend(events.iter().map(status));
                self.missed = Some(missed);
            }
            Ok(Piece::Last(events)) => {
                self.waiting.extend(events.iter().map(status));
                self.tell_position();
            }
            Ok(Piece::Skipped(reason)) => {
                self.waiting.push_back(skipped(reason, missed.span()));
                self.tell_position();
            }
            Err(error) => {
                tracing::debug!(%error, "a listener waits for what it missed");
                self.missed = Some(missed);
                sleep(AGAIN).await;
            }
        }
    }

    fn tell_position(&mut self) {
        let position = sse::Event::default().event("position");
        let position = position.id(self.position.encode()).data("{}");
        self.waiting.push_back(position);
        self.is_told = true;
    }

    fn end(&mut self, end: End) {
        let said = json!({ "reason": end.reason() }).to_string();
        self.waiting
            .push_back(sse::Event::default().event("end").data(said));
        self.presence.end(end);
    }
}

fn status(event: &Event) -> sse::Event {
    let status = sse::Event::default().event("status").data(&event.json);
    match &event.id {
        Some(id) => status.id(id),
        None => status,
    }
}

/// What is not told is between these moments, by the time of storing.
fn skipped(reason: &str, (from, until): (DateTime<Utc>, DateTime<Utc>)) -> sse::Event {
    let said = json!({
        "reason": reason,
        "stored_from": render::Instant(from),
        "stored_until": render::Instant(until),
    });
    sse::Event::default()
        .event("skipped")
        .data(said.to_string())
}
