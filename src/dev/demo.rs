//! A stream of realistic uploads for `pt dev`, until it is told to stop.
//!
//! Services report in their own date formats, late and out of order, hosts upload again and
//! again, some uploads fail and some get stuck. Ids of hosts are the same in every run, request
//! ids never.

mod failures;
mod fleet;
mod journey;
mod producers;
mod stream;
mod upload;

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures_util::future::try_join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use failures::Failing;
use fleet::Fleet;
use journey::Journey;
use stream::Stream;
use upload::{Report, Upload};

/// Request ids of three uploads that have already happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    pub succeeded: String,
    pub failed: String,
    /// Its last status is some minutes old, and no other will come.
    pub stuck: String,
}

/// Sends three whole uploads, then, in the task of the handle, a few messages a second until
/// `stop` is cancelled.
///
/// # Errors
/// The broker did not take the first uploads within 15 seconds.
pub async fn start(
    bootstrap: &str,
    topic: &str,
    stop: CancellationToken,
) -> Result<(Demo, JoinHandle<()>), KafkaError> {
    let sender = Sender::connect(bootstrap, topic)?;
    let mut rng = StdRng::seed_from_u64(SEED);
    let fleet = Fleet::new(&mut rng);
    let demo = open(&sender, &fleet, &mut rng).await?;
    let stream = Stream::new(sender, fleet, rng);
    Ok((demo, tokio::spawn(stream.run(stop))))
}

/// Any number: it only decides which hosts there are and what happens to uploads in turn.
const SEED: u64 = 20_250_821;
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(15);

async fn open(sender: &Sender, fleet: &Fleet, rng: &mut StdRng) -> Result<Demo, KafkaError> {
    let mut past = |journey, ago| {
        let organisation = fleet.any(rng);
        let upload = Upload::new(organisation, journey, rng);
        let reports = upload.reports(Utc::now() - ago, rng);
        (upload.request_id, reports)
    };
    let (succeeded, mut reports) = past(Journey::Archive, TimeDelta::seconds(20));
    let (failed, more) = past(Journey::Fails(Failing::Inventory), TimeDelta::seconds(40));
    reports.extend(more);
    let (stuck, more) = past(Journey::Stuck, TimeDelta::minutes(12));
    reports.extend(more);
    try_join_all(reports.iter().map(|report| sender.send(report))).await?;
    Ok(Demo {
        succeeded,
        failed,
        stuck,
    })
}

struct Sender {
    producer: FutureProducer,
    topic: String,
}

impl Sender {
    fn connect(bootstrap: &str, topic: &str) -> Result<Self, KafkaError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set(
                "message.timeout.ms",
                DELIVERY_TIMEOUT.as_millis().to_string(),
            )
            .set("queue.buffering.max.messages", "1000")
            .create()?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    async fn send(&self, report: &Report) -> Result<(), KafkaError> {
        let record = FutureRecord::<(), _>::to(&self.topic).payload(&report.value);
        match self.producer.send(record, DELIVERY_TIMEOUT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
