//! Finds out, and stores, where lanes start.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::sqlx::{self, PgPool, PgTransaction};
use tracing::{info, warn};

use super::broker::{Broker, BrokerError};
use super::start::{self, Fit, LogState};
use crate::config::OffsetReset;
use crate::store::batch::Lane;
use crate::store::{fuse, offsets};

/// Why lanes could not be located.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    #[error("Kafka: {0}")]
    Kafka(#[from] BrokerError),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the topic or its partition is gone")]
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
    /// The offset each of `lanes` goes on at, of those that exist; it is stored once this returns.
    /// Lanes whose fuse has blown are told apart.
    ///
    /// # Errors
    ///
    /// Kafka or the database did not answer, or none of the lanes exists. Nothing is stored then.
    pub async fn locate(&self, lanes: &[Lane]) -> Result<Located, LocateError> {
        let mut fused = fuse::still_blown(&self.pool, &self.topic).await?;
        fused.retain(|lane, _| lanes.contains(lane));
        let mut lanes = lanes.to_vec();
        lanes.retain(|lane| !fused.contains_key(lane));
        let starts = match lanes.is_empty() {
            true => BTreeMap::new(),
            false => self.starts(&lanes).await?,
        };
        Ok(Located { starts, fused })
    }

    async fn starts(&self, lanes: &[Lane]) -> Result<BTreeMap<Lane, i64>, LocateError> {
        let mut known = offsets::stored(&self.pool, &self.topic).await?;
        let log = self.ask(lanes, known.is_empty()).await?;
        let mut transaction = self.pool.begin().await?;
        offsets::lock(&mut transaction, &self.topic).await?;
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
            let start = self.settle(&mut transaction, *lane, *next, fit).await?;
            starts.insert(*lane, start);
        }
        if starts.is_empty() {
            return Err(LocateError::NoTopic);
        }
        transaction.commit().await?;
        info!(topic = self.topic, ?starts, "lanes located");
        Ok(starts)
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

    /// The stored offset, or the start of a log that does not hold it, stored from here on.
    async fn settle(
        &self,
        transaction: &mut PgTransaction<'_>,
        lane: Lane,
        stored: i64,
        fit: Fit,
    ) -> Result<i64, LocateError> {
        let start = match fit {
            Fit::Holds => return Ok(stored),
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
        };
        offsets::relocate(transaction, &self.topic, lane, stored, start).await?;
        Ok(start)
    }
}
