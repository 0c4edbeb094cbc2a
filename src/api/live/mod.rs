//! Statuses as they are committed, as server-sent events.
//!
//! One task a process, the tailer, looks at the lanes' stored offsets while somebody listens, reads what
//! came below them and sends it to every listener through one bounded buffer (`tail`). Where a listener
//! stands is a `position`, which is the id of an event; one that comes back is first told what it missed,
//! read from the database (`missed`). `listener` is what a request waits on.
//!
//! Everything is read from the primary: a replica may not have what its offsets promise.

mod batch;
mod lanes;
mod listener;
mod missed;
mod position;
mod presence;
mod query;
pub mod routes;
mod tail;
mod voice;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::names::Names;
use super::problem::Problem;
use super::reading::Reader;
use crate::telemetry::metrics::ApiMetrics;
use batch::Chunk;
use position::Position;
use tail::Tailer;
use voice::{Heard, Told, Voice};

/// Chunks that are kept for the slowest listener. One that is further behind is cut off.
const KEPT: usize = 64;

/// How many listeners at once are told what they missed: of thousands that come back together the others wait.
const CATCHING_UP: usize = 2;

/// How long a new listener waits for the database.
const STARTS_WITHIN: Duration = Duration::from_secs(3);

/// Where streams come from.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

/// What the tailer and the listeners share.
struct Shared {
    reader: Reader,
    metrics: ApiMetrics,
    names: Names,
    stop: CancellationToken,
    catching_up: Semaphore,
    /// That of the tailer that runs.
    voice: Mutex<Option<Voice>>,
}

/// What a listener hears with.
struct Ear {
    chunks: broadcast::Receiver<Arc<Chunk>>,
    /// Up to where the tailer was by then. Later chunks have higher numbers.
    told: Told,
}

impl Live {
    /// `reader` reads from the primary. Streams end when `stop` is cancelled.
    pub fn new(reader: Reader, metrics: ApiMetrics, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            reader,
            metrics,
            names: Names::default(),
            stop,
            catching_up: Semaphore::new(CATCHING_UP),
            voice: Mutex::default(),
        }))
    }

    /// Begins to listen, and waits until it is known from where on: not from before `came_from`, where another
    /// process may have told more than this one knows yet, but where that cannot be waited for.
    async fn listen(&self, came_from: Option<&Position>) -> Result<Ear, Problem> {
        let Heard { chunks, mut told } = self.0.hear();
        let is_there = |told: &Told| came_from.is_none_or(|from| told.position.knows(from));
        let there = told.wait_for(|told| told.as_ref().is_some_and(is_there));
        // It may never get there: lanes are sent back by hand, databases restored.
        let _ = timeout(STARTS_WITHIN, there).await;
        let told = told.borrow().clone().ok_or_else(|| {
            Problem::Unavailable("the database does not answer now: try again".to_owned())
        })?;
        Ok(Ear { chunks, told })
    }
}

impl Shared {
    fn hear(self: &Arc<Self>) -> Heard {
        let mut voice = self.voice();
        let voice = voice.get_or_insert_with(|| {
            let voice = Voice::keeping(KEPT);
            let tailer = Tailer {
                shared: Arc::clone(self),
                voice: voice.clone(),
            };
            tokio::spawn(async move { tailer.run().await });
            voice
        });
        voice.hear()
    }

    /// Whether nobody hears the tailer with this voice; then the next listener starts another one.
    fn ends_unheard(&self, voice: &Voice) -> bool {
        let mut running = self.voice();
        let is_unheard = !voice.is_heard();
        if is_unheard {
            *running = None;
        }
        is_unheard
    }

    /// For a tailer that met a defect: its listeners hear that it is gone, and come back to another.
    fn ended(&self, voice: &Voice) {
        let mut running = self.voice();
        if running.as_ref().is_some_and(|running| running.is(voice)) {
            *running = None;
        }
    }

    fn voice(&self) -> MutexGuard<'_, Option<Voice>> {
        // Nothing panics while it is held.
        self.voice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tailer {
    fn drop(&mut self) {
        self.shared.ended(&self.voice);
    }
}
