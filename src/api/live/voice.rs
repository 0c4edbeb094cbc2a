//! What the tailer speaks with.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::batch::Chunk;
use super::position::Position;

/// Where the tailer stands: all chunks up to `number` were sent, which end here.
#[derive(Clone, Debug)]
pub struct Told {
    pub number: u64,
    pub position: Arc<Position>,
}

/// To all listeners at once, through one bounded buffer.
#[derive(Clone)]
pub struct Voice {
    chunks: broadcast::Sender<Arc<Chunk>>,
    told: watch::Sender<Option<Told>>,
}

/// What a new listener hears with, in this order: who reads `told` after that hears all chunks with higher
/// numbers.
pub struct Heard {
    pub chunks: broadcast::Receiver<Arc<Chunk>>,
    pub told: watch::Receiver<Option<Told>>,
}

impl Voice {
    /// `kept`: chunks that are kept for the slowest listener.
    pub fn keeping(kept: usize) -> Self {
        Self {
            chunks: broadcast::Sender::new(kept),
            told: watch::Sender::new(None),
        }
    }

    pub fn hear(&self) -> Heard {
        Heard {
            chunks: self.chunks.subscribe(),
            told: self.told.subscribe(),
        }
    }

    /// Sends a chunk.
    ///
    /// Where that leads is said before it: a listener that comes in between would else take a place before
    /// the chunk for its own and never hear the chunk.
    pub fn tell(&self, chunk: Chunk) {
        self.stand(Told {
            number: chunk.number,
            position: Arc::clone(&chunk.after),
        });
        // It fails when nobody listens, which is found out soon.
        let _ = self.chunks.send(Arc::new(chunk));
    }

    /// Says where it stands without a chunk.
    pub fn stand(&self, told: Told) {
        self.told.send_replace(Some(told));
    }

    /// How many chunks the slowest listener has yet to take.
    pub fn waiting(&self) -> usize {
        self.chunks.len()
    }

    pub fn is_heard(&self) -> bool {
        self.chunks.receiver_count() > 0
    }

    pub fn is(&self, other: &Self) -> bool {
        self.chunks.same_channel(&other.chunks)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;

    fn chunk(number: u64) -> Chunk {
        Chunk {
            number,
            events: Vec::new(),
            after: Arc::new(Position {
                at: DateTime::from_timestamp(number as i64, 0).unwrap(),
                lanes: BTreeMap::new(),
            }),
        }
    }

    #[test]
    fn whoever_comes_when_hears_each_chunk_after_where_it_stands() {
        const CHUNKS: u64 = 20_000;
        let voice = Voice::keeping(64);
        voice.tell(chunk(1));
        std::thread::scope(|scope| {
            scope.spawn(|| (2..=CHUNKS).for_each(|number| voice.tell(chunk(number))));
            loop {
                let Heard { mut chunks, told } = voice.hear();
                let told = told.borrow().clone().unwrap();
                assert_eq!(told.position.at.timestamp(), told.number as i64);
                if told.number > CHUNKS / 2 {
                    break;
                }
                let next = loop {
                    match chunks.blocking_recv() {
                        Ok(chunk) if chunk.number <= told.number => {}
                        Ok(chunk) => break chunk.number,
                        // It was put aside for longer than 64 chunks took.
                        Err(_) => break told.number + 1,
                    }
                };
                assert_eq!(next, told.number + 1);
            }
        });
    }
}
