//! Messages at a steady rate: how long until a reader sees one, and what that costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use sea_orm::sqlx::{self, PgPool};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::database::Database;
use super::fleet::Fleet;
use super::process;
use super::report::{Latency, Steady};
use super::topic::Topic;
use super::traffic::Traffic;
use crate::cli::Failure;
use crate::cli::producer::Producer;
use crate::config::Kafka;
use crate::store::session::{self, Role};

/// How often a reader asks: what is measured is late by half of this on average.
const LOOK: Duration = Duration::from_millis(5);

/// A payload is watched for when its first status is sent, at most one in this time.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// When a message is not waited for any longer.
const GIVE_UP: Duration = Duration::from_secs(30);

const VISIBLE: &str = "
SELECT request_id FROM payloads AS p
 WHERE request_id = ANY($1)
   AND EXISTS (SELECT FROM payload_statuses AS s
                WHERE s.payload_id = p.id AND s.date > now() - interval '1 hour')";

/// What to send.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Messages a second.
    pub rate: u32,
    pub lasts: Duration,
    /// By request id.
    pub keyed: bool,
    pub consumers: u16,
}

/// A payload whose first status was handed to the producer.
struct Watched {
    request_id: String,
    sent: Instant,
}

/// Sends as planned while the consumer runs.
///
/// # Errors
///
/// A message was not delivered, or did not become visible.
pub(super) async fn measure(
    plan: Plan,
    topic: &Topic,
    database: &Database,
) -> Result<Steady, Failure> {
    database.settle().await?;
    let server = process::Server::of(database).await?;
    let mut fleet = Fleet::start(plan.consumers, topic, database)?;
    fleet.ready().await?;
    let reader = session::connect(&database.config, Role::Api);
    let reader = reader.get_postgres_connection_pool().clone();
    session::choose_authority(&reader, &database.config, Role::Api).await?;
    let (tell, told) = unbounded_channel();
    let before = (fleet.usage(), server.as_ref().map(process::Server::cpu));
    let begun = Instant::now();
    let kafka = topic.kafka.clone();
    let sending = spawn_blocking(move || send(plan, &kafka, &tell, &AtomicU64::new(0)));
    let latencies = watch(told, &reader).await?;
    sending.await??;
    let lasted = begun.elapsed().as_secs_f64();
    let after = (fleet.usage(), server.as_ref().map(process::Server::cpu));
    fleet.must_run()?;
    let scrape = fleet.scrape().await?;
    fleet.stop().await?;
    Ok(Steady {
        rate: plan.rate,
        seconds: lasted,
        latency: Latency::of(latencies),
        batches: scrape.batches(),
        consumer_cores: (after.0.cpu_seconds - before.0.cpu_seconds) / lasted,
        server_cores: after
            .1
            .zip(before.1)
            .map(|(after, before)| (after - before) / lasted),
        consumer: after.0,
    })
}

/// Messages on their way; nobody watches when they become visible.
pub(super) struct Sending {
    sent: Arc<AtomicU64>,
    task: JoinHandle<Result<(), Failure>>,
}

impl Sending {
    /// Sends so many messages a second.
    pub(super) fn start(rate: u32, lasts: Duration, kafka: &Kafka) -> Self {
        let plan = Plan {
            rate,
            lasts,
            keyed: false,
            consumers: 1,
        };
        let sent = Arc::<AtomicU64>::default();
        let (kafka, count) = (kafka.clone(), sent.clone());
        let task = spawn_blocking(move || {
            let (tell, _told) = unbounded_channel();
            send(plan, &kafka, &tell, &count)
        });
        Self { sent, task }
    }

    /// How many were handed to the producer.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// A message was not delivered.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        self.task.await?
    }
}

/// Each message at its time; what was held up is made up for.
fn send(
    plan: Plan,
    kafka: &Kafka,
    watched: &UnboundedSender<Watched>,
    count: &AtomicU64,
) -> Result<(), Failure> {
    let producer = Producer::connect_as_many(kafka)?;
    let mut traffic = Traffic::new();
    let begun = Instant::now();
    let mut last_watched: Option<Instant> = None;
    for number in 0..u32::MAX {
        let due = Duration::from_secs(1) * number / plan.rate;
        if due >= plan.lasts || watched.is_closed() {
            break;
        }
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let message = traffic.next(Utc::now());
        let sent = Instant::now();
        producer.send_keyed(message.key(plan.keyed), message.value.as_bytes());
        count.fetch_add(1, Ordering::Relaxed);
        if message.is_first && last_watched.is_none_or(|last| sent - last >= WATCH_EVERY) {
            last_watched = Some(sent);
            let request_id = message.request_id;
            watched.send(Watched { request_id, sent }).ok();
        }
    }
    producer.finish().all_delivered()
}

/// Asks for the payloads under way until all that are told of were seen.
async fn watch(
    mut told: UnboundedReceiver<Watched>,
    reader: &PgPool,
) -> Result<Vec<Duration>, Failure> {
    let mut open: Vec<Watched> = Vec::new();
    let mut seen = Vec::new();
    let mut may_come = true;
    while may_come || !open.is_empty() {
        sleep(LOOK).await;
        while may_come && let Some(watched) = next(&mut told, &mut may_come) {
            open.push(watched);
        }
        if open.is_empty() {
            continue;
        }
        let asked: Vec<&str> = open.iter().map(|open| open.request_id.as_str()).collect();
        let visible: Vec<String> = sqlx::query_scalar(VISIBLE)
            .bind(&asked)
            .fetch_all(reader)
            .await?;
        let now = Instant::now();
        let found = open.extract_if(.., |open| visible.contains(&open.request_id));
        seen.extend(found.map(|found| now - found.sent));
        if open.iter().any(|open| now - open.sent > GIVE_UP) {
            return Err(Failure::work(format!(
                "a message was not visible after {} s",
                GIVE_UP.as_secs()
            )));
        }
    }
    Ok(seen)
}

/// What was told meanwhile, if anything; notes when nothing more can come.
fn next(told: &mut UnboundedReceiver<Watched>, may_come: &mut bool) -> Option<Watched> {
    use tokio::sync::mpsc::error::TryRecvError;
    match told.try_recv() {
        Ok(watched) => Some(watched),
        Err(error) => {
            *may_come = error == TryRecvError::Empty;
            None
        }
    }
}
