//! A model of everything that goes wrong at once, against Apache Kafka itself: `make chaos`.
//!
//! For some minutes messages are produced at a steady rate while consumers, database, broker and the connections
//! between them fail in an order that a seed decides. In the end each message that Kafka acknowledged is looked
//! for: it must be there once, as the row or the reject that its content makes it.

mod faults;
mod fleet;
mod producer;
mod progress;
mod report;
mod traffic;
mod verdict;
mod world;

use std::env;
use std::str::FromStr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use faults::{Fault, Record};
use producer::Producer;
use progress::Progress;
use world::World;

/// As in production.
const PARTITIONS: u16 = 20;
/// What is left at the end of the faults is written within this.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// How a run goes.
#[derive(Clone, Copy)]
struct Settings {
    /// `CHAOS_MINUTES` (3): how long faults happen; longer if each has not happened once by then.
    minutes: f64,
    /// `CHAOS_SEED` (any): decides faults, their order and pauses, and what the messages are.
    seed: u64,
    /// `CHAOS_RATE` (3000): messages a second.
    rate: u64,
}

impl Settings {
    fn from_process() -> Self {
        Self {
            minutes: setting("CHAOS_MINUTES", 3.0),
            seed: setting("CHAOS_SEED", rand::rng().random_range(0..1_000_000)),
            rate: setting("CHAOS_RATE", 3_000),
        }
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: allowed are numbers")),
        _ => default,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka: make chaos"]
async fn every_message_ends_once_whatever_happens() {
    let settings = Settings::from_process();
    let Settings {
        minutes,
        seed,
        rate,
    } = settings;
    println!("chaos: CHAOS_SEED={seed}, {minutes} minutes, {rate} messages/s");
    let mut world = World::start(seed).await;
    let progress = Progress::watch(world.pool().clone());
    let producer = Producer::start(world.kafka(), settings);

    let records = unleash(&mut world, settings).await;

    let sent = producer.finish().await;
    let passed = world.drained(&sent, DRAINED_WITHIN).await;
    let moments = progress.finish().await;
    world.end().await;
    let found = verdict::read(world.pool()).await;
    let ends = world.log_ends().await;
    let problems = verdict::judge(settings.seed, &sent, &found, &ends);

    report::print(&records, &moments, &sent, &found, settings.seed);
    assert!(
        passed && problems.is_empty(),
        "CHAOS_SEED={seed}: {}; what the consumers logged is in {}",
        report::summary(passed, &problems),
        world.logs().display()
    );
}

/// Faults of every kind, each once a round, in an order of their own each round.
async fn unleash(world: &mut World, settings: Settings) -> Vec<Record> {
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let end = Instant::now() + Duration::from_secs_f64(settings.minutes * 60.0);
    let mut records = Vec::new();
    loop {
        let mut round = Fault::ALL;
        round.shuffle(&mut rng);
        for fault in round {
            let is_over = Instant::now() >= end;
            if is_over && records.len() >= Fault::ALL.len() {
                return records;
            }
            // The model's pace: what happens meanwhile is waited for by nobody.
            sleep(Duration::from_millis(rng.random_range(200..2_500))).await;
            let begun = Instant::now();
            println!("{:>7.1} s  {}", world.age().as_secs_f64(), fault.name());
            world.inflict(fault, &mut rng).await;
            records.push(Record { fault, begun });
        }
    }
}
