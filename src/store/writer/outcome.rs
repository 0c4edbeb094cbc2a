//! What came of writing a batch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sea_orm::sqlx;

use crate::store::batch::Lane;
use crate::store::failure::{self, Failure};
use crate::store::fuse::Blow;
use crate::store::halving::Refusal;

/// Why a batch was not written. Of a divided one the odd half may be: the same batch again leaves it out.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Of the statement that makes a day's partition.
    #[error("making a partition: {0}")]
    Partition(#[source] sqlx::Error),
    /// A name or payload that was there a statement ago is not: someone deletes rows by hand, or
    /// the database is another one. The same batch again makes it anew.
    #[error("a name or payload vanished while its status was written")]
    Vanished,
}

impl WriteError {
    /// What to do about it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Database(error) => failure::classify(error),
            Self::Partition(error) => failure::classify_partition(error),
            Self::Vanished => Failure::Transient,
        }
    }

    /// For the reject, should a row turn out to be to blame.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Database(error) | Self::Partition(error) => Refusal {
                sqlstate: failure::sqlstate(error),
                message: failure::message(error),
            },
            Self::Vanished => Refusal {
                sqlstate: None,
                message: self.to_string(),
            },
        }
    }
}

/// What became of each lane of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Lanes whose rows are committed, with the offset now stored. A lane that an earlier attempt
    /// had committed, without its answer arriving, is among them.
    pub committed: BTreeMap<Lane, i64>,
    /// Lanes whose stored offset was another than the batch expected: nothing of them is written.
    pub lost: BTreeMap<Lane, Option<i64>>,
    /// Different payloads among the rows.
    pub payloads: usize,
    /// Committed lanes whose fuse blew: they must not be read on.
    pub blown: BTreeMap<Lane, Blow>,
}

impl Written {
    /// Adds what became of a later piece of the same batch.
    pub fn extend(&mut self, later: Self) {
        self.committed.extend(later.committed);
        self.lost.extend(later.lost);
        self.payloads += later.payloads;
        self.blown.extend(later.blown);
    }
}

/// Where a batch's time went. Of two sessions that wrote it at once: the time of the one that
/// commits the lanes' offsets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// Unknown names and missing partitions.
    pub prepare: Duration,
    pub fence: Duration,
    pub payloads: Duration,
    pub host_ids: Duration,
    pub statuses: Duration,
    pub rejects: Duration,
    /// How much longer the other session took, its COMMIT included.
    pub odd: Duration,
    pub commit: Duration,
}

impl Timings {
    /// Each stage by name, in the order in which a batch goes through them.
    pub fn stages(&self) -> [(&'static str, Duration); 8] {
        [
            ("prepare", self.prepare),
            ("fence", self.fence),
            ("payloads", self.payloads),
            ("host_ids", self.host_ids),
            ("statuses", self.statuses),
            ("rejects", self.rejects),
            ("odd", self.odd),
            ("commit", self.commit),
        ]
    }
}

/// Measures one stage after the other.
#[derive(Debug)]
pub struct Clock {
    at: Instant,
    pub timings: Timings,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            at: Instant::now(),
            timings: Timings::default(),
        }
    }

    /// The stage ends here.
    pub fn lap(&mut self, stage: fn(&mut Timings) -> &mut Duration) {
        let now = Instant::now();
        *stage(&mut self.timings) += now - self.at;
        self.at = now;
    }
}
