//! Questions at a rate, while messages come by way of a topic and a pt-consumer.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio::try_join;

use super::Args;
use super::load::Load;
use super::report::{Ingested, Mixed};
use crate::cli::Failure;
use crate::cli::bench::consumer;
use crate::cli::bench::database::Database;
use crate::cli::bench::steady::Sending;
use crate::cli::bench::topic::Topic;
use crate::config::Kafka;

/// For so long messages are stored before anything is asked: what a broker and a consumer do when they
/// begin is not what is measured.
const LEAD: Duration = Duration::from_secs(10);

/// Of a topic of the run's own.
const PARTITIONS: u16 = 20;

/// Asks `rate` questions a second while `--ingest` messages a second are sent.
///
/// # Errors
///
/// Kafka or the consumer fail.
pub async fn measure(
    args: &Args,
    rate: u32,
    kafka: Kafka,
    database: &Database,
    load: &Load,
) -> Result<Mixed, Failure> {
    let topic = Topic::make(kafka, args.topic.as_deref(), PARTITIONS).await?;
    let measured = on(&topic, args, rate, database, load).await;
    topic.remove().await;
    measured
}

async fn on(
    topic: &Topic,
    args: &Args,
    rate: u32,
    database: &Database,
    load: &Load,
) -> Result<Mixed, Failure> {
    let mut consumer = consumer::start(topic, database)?;
    consumer.ready().await?;
    let lasts = args.seconds;
    load.warm_all().await?;
    let sending = Sending::start(args.ingest, LEAD + lasts, &topic.kafka);
    sleep(LEAD).await;
    let (met, ingested) = try_join!(
        load.open(rate, lasts),
        ingested(&sending, lasts, topic, database)
    )?;
    sending.finish().await?;
    consumer.must_run()?;
    consumer.stop().await?;
    Ok(Mixed {
        requests_per_second: rate,
        messages_per_second: args.ingest,
        ingested,
        errors: met.errors,
        latency: met.latency(),
    })
}

/// Whether the consumer keeps up. Answers may be quick because it does not.
async fn ingested(
    sending: &Sending,
    lasts: Duration,
    topic: &Topic,
    database: &Database,
) -> Result<Ingested, Failure> {
    let before = database.stored(&topic.kafka.topic).await?;
    let begun = Instant::now();
    sleep(lasts).await;
    let sent = sending.sent();
    let after = database.stored(&topic.kafka.topic).await?;
    Ok(Ingested {
        stored_per_second: after.saturating_sub(before) as f64 / begun.elapsed().as_secs_f64(),
        backlog: sent.saturating_sub(after),
    })
}
