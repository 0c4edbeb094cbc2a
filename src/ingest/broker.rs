//! What the broker knows: the topic's partitions, their logs, and the group's committed offsets.

use std::collections::BTreeMap;
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{self, LastError};
use super::start::LogState;
use crate::config::Kafka;
use crate::store::batch::Lane;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a lane is asked for that has no leader.
const LEADER_AGAIN: Duration = Duration::from_millis(100);

/// How long the client's own word on a failure may take: it is there already, behind log lines.
const REASON: Duration = Duration::from_millis(50);

impl ConsumerContext for LastError {}

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
pub struct BrokerError {
    #[source]
    error: KafkaError,
    /// Why no broker was reached, where that is it.
    reason: Option<String>,
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => f.write_str(reason),
            None => self.error.fmt(f),
        }
    }
}

/// A client beside the group member: it asks without being one, so that the member's thread
/// never waits for an answer. Its calls block.
pub struct Broker {
    client: BaseConsumer<LastError>,
    topic: String,
}

impl Broker {
    /// Connects in the background.
    ///
    /// # Errors
    ///
    /// Settings that librdkafka refuses.
    pub fn new(kafka: &Kafka) -> KafkaResult<Self> {
        Ok(Self {
            client: client::asker_config(kafka).create_with_context(LastError::default())?,
            topic: kafka.topic.clone(),
        })
    }

    /// The topic's partitions, or `None` while it does not exist.
    ///
    /// # Errors
    ///
    /// No broker answered in time, or it refused.
    pub fn partitions(&self) -> Result<Option<Vec<Lane>>, BrokerError> {
        self.explained(self.ask_partitions())
    }

    /// The state of the logs of those of `lanes` that exist: a topic made anew may have fewer than the
    /// group believes.
    ///
    /// # Errors
    ///
    /// No broker answered in time, or it refused.
    pub fn logs(&self, lanes: &[Lane]) -> Result<BTreeMap<Lane, LogState>, BrokerError> {
        self.explained(self.ask_logs(lanes))
    }

    /// Whether the group's coordinator answers.
    ///
    /// # Errors
    ///
    /// It did not answer in time, or it refused, as it does while it is loading.
    pub fn ask_group(&self) -> Result<(), BrokerError> {
        self.explained(self.committed(&[0])).map(drop)
    }

    /// The first offset a lane's log holds, and the one its next message will get. A lane that was just made
    /// has no leader yet, or one that does not know it: that is waited for.
    ///
    /// # Errors
    ///
    /// No broker answered in time, or it refused.
    pub fn ends(&self, lane: Lane) -> Result<(i64, i64), BrokerError> {
        let asked = Instant::now();
        loop {
            match self.watermarks(lane) {
                Err(error) if is_without_leader(&error) && asked.elapsed() < PATIENCE => {
                    sleep(LEADER_AGAIN);
                }
                ends => return self.explained(ends),
            }
        }
    }

    /// The offset of each lane's first message that is not older than `time`, by Kafka's timestamps; none where
    /// every message is older.
    ///
    /// # Errors
    ///
    /// No broker answered in time, or it refused.
    pub fn offsets_at(
        &self,
        lanes: &[Lane],
        time: DateTime<Utc>,
    ) -> Result<BTreeMap<Lane, i64>, BrokerError> {
        self.explained(self.ask_offsets_at(lanes, time))
    }

    /// After a failure, hears what the client has to say. It is a member of no group and gets no
    /// messages.
    fn explained<T>(&self, answer: KafkaResult<T>) -> Result<T, BrokerError> {
        let last_error = self.client.context();
        answer.inspect(|_| last_error.forget()).map_err(|error| {
            while self.client.poll(REASON).is_some() {}
            let reason = last_error.get();
            BrokerError { error, reason }
        })
    }

    fn ask_partitions(&self) -> KafkaResult<Option<Vec<Lane>>> {
        let metadata = self.client.fetch_metadata(Some(&self.topic), PATIENCE)?;
        let Some(topic) = metadata.topics().first() else {
            return Ok(None);
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(topic.partitions().iter().map(|p| p.id()).collect())),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
            Some(code) => Err(KafkaError::MetadataFetch(code)),
        }
    }

    fn ask_logs(&self, lanes: &[Lane]) -> KafkaResult<BTreeMap<Lane, LogState>> {
        let committed = self.committed(lanes)?;
        let mut logs = BTreeMap::new();
        for lane in lanes {
            let (low, high) = match self.watermarks(*lane) {
                Err(error) if is_unknown(&error) => continue,
                ends => ends?,
            };
            let state = LogState {
                committed: committed.get(lane).copied(),
                low,
                high,
            };
            logs.insert(*lane, state);
        }
        Ok(logs)
    }

    fn ask_offsets_at(
        &self,
        lanes: &[Lane],
        time: DateTime<Utc>,
    ) -> KafkaResult<BTreeMap<Lane, i64>> {
        let mut asked = TopicPartitionList::with_capacity(lanes.len());
        for lane in lanes {
            let time = Offset::Offset(time.timestamp_millis());
            asked.add_partition_offset(&self.topic, *lane, time)?;
        }
        offsets_in(&self.client.offsets_for_times(asked, PATIENCE)?)
    }

    fn watermarks(&self, lane: Lane) -> KafkaResult<(i64, i64)> {
        self.client.fetch_watermarks(&self.topic, lane, PATIENCE)
    }

    /// An error of one partition is one of all: a lane whose offset is not told is not one without.
    /// The list of answers must not outlive the client, or the client's end waits for ever.
    fn committed(&self, lanes: &[Lane]) -> KafkaResult<BTreeMap<Lane, i64>> {
        let mut asked = TopicPartitionList::with_capacity(lanes.len());
        for lane in lanes {
            asked.add_partition(&self.topic, *lane);
        }
        offsets_in(&self.client.committed_offsets(asked, PATIENCE)?)
    }
}

/// The offsets that an answer has, of the lanes that have one.
fn offsets_in(answers: &TopicPartitionList) -> KafkaResult<BTreeMap<Lane, i64>> {
    let mut offsets = BTreeMap::new();
    for element in answers.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.insert(element.partition(), offset);
        }
    }
    Ok(offsets)
}

fn is_without_leader(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

fn is_unknown(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition)
    )
}
