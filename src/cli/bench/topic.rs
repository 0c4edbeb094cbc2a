//! The topic that is filled.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::cli::Failure;
use crate::config::Kafka;
use crate::ingest::broker::{Broker, BrokerError};
use crate::ingest::client::client_config;
use crate::store::batch::Lane;

/// An empty topic and a group nobody else is in.
pub(super) struct Topic {
    /// As the environment has it, but for topic and group.
    pub kafka: Kafka,
    pub partitions: usize,
    is_ours: bool,
}

impl Topic {
    /// Makes a topic, or takes the named one.
    ///
    /// # Errors
    ///
    /// Kafka refuses, or the named topic is missing or has held a message.
    pub(super) async fn make(
        mut kafka: Kafka,
        named: Option<&str>,
        partitions: u16,
    ) -> Result<Self, Failure> {
        let own = format!("pt-bench-{}", Uuid::new_v4().simple());
        kafka.topic = named.unwrap_or(&own).to_owned();
        kafka.group_id = own;
        let Some(name) = named else {
            create(&kafka, partitions).await?;
            return Ok(Self {
                kafka,
                partitions: partitions.into(),
                is_ours: true,
            });
        };
        let ends = ends(&kafka).await?;
        if ends.is_empty() {
            return Err(Failure::settings(format!(
                "the topic {name} does not exist"
            )));
        }
        if ends.values().any(|end| *end > 0) {
            return Err(Failure::settings(format!("the topic {name} is not empty")));
        }
        Ok(Self {
            kafka,
            partitions: ends.len(),
            is_ours: false,
        })
    }

    /// Deletes it if it was made.
    pub(super) async fn remove(self) {
        if !self.is_ours {
            return;
        }
        let name = self.kafka.topic.as_str();
        let deleted = async {
            let admin = admin(&self.kafka)?;
            let answers = admin.delete_topics(&[name], &AdminOptions::new()).await?;
            Ok::<_, KafkaError>(answers)
        };
        if let Err(error) = deleted.await {
            eprintln!("pt: the topic {name} is left behind: {error}");
        }
    }
}

async fn create(kafka: &Kafka, partitions: u16) -> Result<(), Failure> {
    let topic = NewTopic::new(
        &kafka.topic,
        partitions.into(),
        TopicReplication::Fixed(-1), // as the brokers do by default
    );
    let refused = |why: String| {
        Failure::work(format!(
            "Kafka lets no topic be made (--topic names one that is there): {why}"
        ))
    };
    let admin = admin(kafka)?;
    let answers = admin
        .create_topics([&topic], &AdminOptions::new())
        .await
        .map_err(|error| refused(error.to_string()))?;
    match answers.into_iter().next() {
        Some(Err((_, code))) => Err(refused(code.to_string())),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// It must outlive its questions.
fn admin(kafka: &Kafka) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    client_config(kafka).create()
}

/// The end of each lane's log; none where the topic is missing.
async fn ends(kafka: &Kafka) -> Result<BTreeMap<Lane, i64>, Failure> {
    let broker = Broker::new(kafka)?;
    let ask = move || -> Result<_, BrokerError> {
        let lanes = broker.partitions()?.unwrap_or_default();
        lanes
            .into_iter()
            .map(|lane| Ok((lane, broker.ends(lane)?.1)))
            .collect()
    };
    Ok(spawn_blocking(ask).await??)
}
