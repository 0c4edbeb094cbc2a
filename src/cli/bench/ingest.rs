//! `pt bench ingest`: drains what the topic holds now, with the consumer's own pipeline.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Registry;
use prometheus::core::Collector;
use sea_orm::sqlx::PgPool;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::cli::{Failure, stdout};
use crate::config::{self, Environment};
use crate::ingest::broker::{Broker, BrokerError};
use crate::ingest::health::Health;
use crate::ingest::run::Pipeline;
use crate::store::batch::Lane;
use crate::store::offsets;
use crate::store::session::{self, Role};
use crate::telemetry::metrics::ConsumerMetrics;

/// How often the stored offsets are compared with the topic's ends.
const LOOK: Duration = Duration::from_millis(20);

/// When to give up. A log that ends in a transaction's marker, say, has an end that no message passes.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Drains what the topic holds and says how fast that went
///
/// Reads and writes what pt-consumer would with the same environment, offsets included: use a
/// group and a database made for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    pt send messages.jsonl && KAFKA_AUTO_OFFSET_RESET=earliest pt bench ingest")]
pub struct Args {}

pub async fn run(_: Args) -> Result<(), Failure> {
    let begun = Instant::now();
    let env = Environment::from_process().map_err(Failure::settings)?;
    let settings = config::Consumer::load(&env).map_err(Failure::settings)?;
    let db = session::connect(&settings.database, Role::Consumer);
    let pool = db.get_postgres_connection_pool().clone();
    session::choose_authority(&pool, &settings.database, Role::Consumer).await?;
    let topic = settings.kafka.topic.clone();
    let before = passed(&pool, &topic).await?;
    let broker = Broker::new(&settings.kafka)?;
    let ends = spawn_blocking(move || ends(&broker)).await??;
    let Some(ends) = ends else {
        return Err(Failure::work(format!("the topic {topic} does not exist")));
    };
    let metrics = Arc::new(ConsumerMetrics::new(&Registry::new())?);
    let pipeline = Pipeline {
        kafka: settings.kafka,
        rules: settings.rules,
        limits: settings.ingest,
        fuse: settings.fuse,
        database: settings.database,
        pool: pool.clone(),
        metrics: Arc::clone(&metrics),
        health: Health::default(),
        log_messages: settings.log_messages,
    };
    let stop = CancellationToken::new();
    let mut running = pin!(pipeline.run(stop.clone()));
    let drained = tokio::select! {
        ran = &mut running => return Ok(ran?),
        drained = drained(&pool, &topic, &ends) => drained,
    };
    let taken = begun.elapsed();
    stop.cancel();
    running.await?;
    drained?;
    let offsets = passed(&pool, &topic).await? - before;
    let mut text = report(&metrics, offsets, taken);
    if let Some(peak) = peak_memory() {
        text += &format!("peak resident memory: {peak}\n");
    }
    Ok(stdout::print(text.trim_end())?)
}

/// As Linux counts it for this process; other systems do not tell.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().to_owned())
}

/// The end of each lane's log.
fn ends(broker: &Broker) -> Result<Option<BTreeMap<Lane, i64>>, BrokerError> {
    let Some(lanes) = broker.partitions()? else {
        return Ok(None);
    };
    let ends = lanes
        .into_iter()
        .map(|lane| Ok((lane, broker.ends(lane)?.1)));
    ends.collect::<Result<_, _>>().map(Some)
}

async fn passed(pool: &PgPool, topic: &str) -> Result<i64, Failure> {
    Ok(offsets::stored(pool, topic).await?.values().sum())
}

/// Waits until every lane stands at the end its log had at the start.
async fn drained(pool: &PgPool, topic: &str, ends: &BTreeMap<Lane, i64>) -> Result<(), Failure> {
    let mut left = i64::MAX;
    let mut moved = Instant::now();
    loop {
        let stored = offsets::stored(pool, topic).await?;
        let now = ends
            .iter()
            .map(|(lane, end)| (end - stored.get(lane).unwrap_or(&0)).max(0))
            .sum();
        if now == 0 {
            return Ok(());
        }
        if now < left {
            left = now;
            moved = Instant::now();
        } else if moved.elapsed() > STANDSTILL {
            return Err(Failure::work(format!(
                "nothing was stored for {} s, {left} offsets before the end of {topic}",
                STANDSTILL.as_secs()
            )));
        }
        sleep(LOOK).await;
    }
}

fn report(metrics: &ConsumerMetrics, offsets: i64, taken: Duration) -> String {
    let messages = metrics.messages_processed.get();
    let batches = metrics.batch_messages.get_sample_count();
    let seconds = taken.as_secs_f64();
    let mut text = format!(
        "{messages} messages ({offsets} offsets) in {seconds:.2} s from process start to last row: \
         {:.0} messages/s\n{batches} batches of {:.0} messages on average\n",
        messages as f64 / seconds,
        metrics.batch_messages.get_sample_sum() / batches.max(1) as f64,
    );
    let stages = stages(metrics);
    let written: f64 = stages.iter().map(|(_, spent)| spent).sum();
    for (stage, spent) in stages {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {stage:<9} {spent:6.2} s  {:3.0} %",
            100.0 * spent / seconds
        );
    }
    let _ = writeln!(
        text,
        "  {:<9} {:6.2} s  {:3.0} %",
        "waiting",
        seconds - written,
        100.0 * (seconds - written) / seconds
    );
    text
}

/// Seconds spent in each stage of writing, as the metric has them.
fn stages(metrics: &ConsumerMetrics) -> Vec<(String, f64)> {
    let families = metrics.batch_seconds.collect();
    let mut stages: Vec<(String, f64)> = families
        .iter()
        .flat_map(|family| family.get_metric())
        .filter_map(|metric| {
            let stage = metric.get_label().first()?.value().to_owned();
            Some((stage, metric.get_histogram().get_sample_sum()))
        })
        .collect();
    stages.sort_by(|one, other| other.1.total_cmp(&one.1));
    stages
}
