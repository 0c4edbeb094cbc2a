//! Finds out, and stores, where lanes start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::sqlx::{self, PgPool};
use tracing::{info, warn};

use super::broker::{Broker, BrokerError};
use super::start::{self, Fit, LogState};
use crate::config::OffsetReset;
use crate::store::batch::Lane;
use crate::store::offsets::Move;
use crate::store::{fuse, odd_offsets, offsets};

/// Why lanes could not be located.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    #[error("Kafka: {0}")]
    Kafka(#[from] BrokerError),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the topic is gone")]
    NoTopic,
    #[error("another consumer moved lane {0} meanwhile")]
    Moved(Lane),
    #[error("asking Kafka ended early")]
    Interrupted,
    #[error("no answer")]
    Silent,
}

/// What was found out about lanes.
#[derive(Debug, Default)]
pub struct Located {
    /// The offset each lane goes on at.
    pub starts: BTreeMap<Lane, i64>,
    /// Lanes that must not be read now, and why: their fuse has blown.
    pub fused: BTreeMap<Lane, String>,
    /// Lanes that the topic does not have: one made anew may have fewer than the group believes.
    pub absent: BTreeSet<Lane>,
}

/// Decides where lanes of one topic start.
#[derive(Clone)]
pub struct Locator {
    pub broker: Arc<Broker>,
    pub pool: PgPool,
    pub topic: String,
    /// Where a lane starts that nothing is known of. A topic that was missing when the process
    /// started is read from its beginning.
    pub reset: OffsetReset,
}

impl Locator {
    /// The offset each of `lanes` goes on at; it is stored once this returns. Lanes whose fuse has blown,
    /// and those that do not exist, are told apart.
    ///
    /// # Errors
    ///
    /// Kafka or the database did not answer, or the topic does not exist. Nothing is stored then.
    pub async fn locate(&self, lanes: &[Lane]) -> Result<Located, LocateError> {
        let mut fused = fuse::still_blown(&self.pool, &self.topic).await?;
        fused.retain(|lane, _| lanes.contains(lane));
        let mut lanes = lanes.to_vec();
        lanes.retain(|lane| !fused.contains_key(lane));
        let starts = match lanes.is_empty() {
            true => BTreeMap::new(),
            false => self.starts(&lanes).await?,
        };
        lanes.retain(|lane| !starts.contains_key(lane));
        let absent = self.absent(lanes).await?;
        Ok(Located {
            starts,
            fused,
            absent,
        })
    }

    async fn starts(&self, lanes: &[Lane]) -> Result<BTreeMap<Lane, i64>, LocateError> {
        let mut known = offsets::stored(&self.pool, &self.topic).await?;
        let known_odd = odd_offsets::stored(&self.pool, &self.topic).await?;
        let log = self.ask(lanes, known.is_empty()).await?;
        let mut transaction = self.pool.begin().await?;
        offsets::lock(&mut transaction, &self.topic).await?;
        odd_offsets::complete(&mut transaction, &self.topic).await?;
        let odd = odd_offsets::hold(&mut transaction, &self.topic, lanes.iter().copied()).await?;
        let mut stored = offsets::stored(&mut *transaction, &self.topic).await?;
        let missing = start::missing(&log, &stored, lanes, self.reset);
        offsets::insert(&mut transaction, &self.topic, &missing).await?;
        known.extend(&missing);
        stored.extend(missing);
        let mut starts = BTreeMap::new();
        for lane in lanes {
            let (Some(next), Some(state)) = (stored.get(lane), log.get(lane)) else {
                continue;
            };
            let fit = start::fit(*next, known.get(lane).copied(), state);
            let start = Self::settle(*lane, *next, fit)?;
            if start != *next {
                let step = Move {
                    lane: *lane,
                    from: *next,
                    to: start,
                    log_start: state.low,
                };
                offsets::relocate(&mut transaction, &self.topic, step).await?;
            } else if let Some(odd) = odd.get(lane)
                && known_odd.get(lane) == Some(&odd.next)
                && start::is_of_another_log(odd.next, state)
            {
                warn!(
                    lane,
                    next,
                    odd = odd.next,
                    log_end = state.high,
                    "the log ends before what a crash left of a batch: it is read again"
                );
                odd_offsets::lower(&mut transaction, &self.topic, *lane, *next).await?;
            }
            starts.insert(*lane, start);
        }
        if starts.is_empty() {
            return Ok(starts);
        }
        transaction.commit().await?;
        info!(topic = self.topic, ?starts, "lanes located");
        Ok(starts)
    }

    /// Those of the lanes, which no broker knows, that an existing topic does not have. The others' broker may
    /// just have lost track of them.
    async fn absent(&self, unknown: Vec<Lane>) -> Result<BTreeSet<Lane>, LocateError> {
        if unknown.is_empty() {
            return Ok(BTreeSet::new());
        }
        let broker = Arc::clone(&self.broker);
        let topic = tokio::task::spawn_blocking(move || broker.partitions()).await;
        let there = topic.map_err(|_| LocateError::Interrupted)??;
        let there = there.ok_or(LocateError::NoTopic)?;
        Ok(unknown
            .into_iter()
            .filter(|lane| !there.contains(lane))
            .collect())
    }

    /// For a topic never seen before all lanes are asked for: their starts are stored together.
    async fn ask(
        &self,
        lanes: &[Lane],
        unseen: bool,
    ) -> Result<BTreeMap<Lane, LogState>, LocateError> {
        let broker = Arc::clone(&self.broker);
        let mut asked = lanes.to_vec();
        tokio::task::spawn_blocking(move || {
            if unseen {
                asked = broker.partitions()?.ok_or(LocateError::NoTopic)?;
            }
            Ok(broker.logs(&asked)?)
        })
        .await
        .map_err(|_| LocateError::Interrupted)?
    }

    /// The stored offset, or the start of a log that does not hold it.
    fn settle(lane: Lane, stored: i64, fit: Fit) -> Result<i64, LocateError> {
        Ok(match fit {
            Fit::Holds => stored,
            Fit::Moved => return Err(LocateError::Moved(lane)),
            Fit::Gap { start, missing } => {
                warn!(
                    lane,
                    stored,
                    log_start = start,
                    missing,
                    "the log starts after the stored offset: these messages are gone"
                );
                start
            }
            Fit::Anew { start, end } => {
                warn!(
                    lane,
                    stored,
                    log_start = start,
                    log_end = end,
                    "the log ends before the stored offset: the topic was made anew"
                );
                start
            }
        })
    }
}
