use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rdkafka::consumer::{BaseConsumer, Consumer};
use sea_orm::sqlx::{self, PgPool};
use tokio::time::{Instant, sleep_until};

use super::PARTITIONS;
use super::faults::Fault;
use super::fleet::Fleet;
use super::producer::Sent;
use super::progress;
use super::traffic;
use crate::ingest::lab::Lab;
use crate::support::{self, OwnBroker, OwnServer, Proxy, TestDatabase, TestKafka, eventually};

/// How long what is away stays away, in milliseconds.
const AWAY: std::ops::Range<u64> = 300..5_000;
/// The limits of a batch, messages and milliseconds: small ones commit often, large ones take longer, and
/// the largest are divided.
const BATCH_SIZES: [(&str, &str); 3] = [("200", "200"), ("1000", "200"), ("10000", "3000")];

const ANSWERS_LOST: u32 = 5;
/// Within this every outage is over and the group has settled.
const LONG: Duration = Duration::from_secs(120);

/// Database, broker and consumers, each with a handle by which it fails.
pub struct World {
    fleet: Fleet,
    lab: Lab,
    server: OwnServer,
    line_to_database: Proxy,
    broker: OwnBroker,
    born: Instant,
}

impl World {
    pub async fn start(seed: u64) -> Self {
        let server = support::own_server().await;
        let broker = OwnBroker::start().await;
        let lab = Lab {
            database: TestDatabase::on(&server).await,
            kafka: broker.topic(),
        };
        lab.kafka.create_topic(PARTITIONS).await;
        traffic::refuse_poison(lab.pool()).await;
        let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}"));
        let mut world = Self {
            fleet: Fleet::new(logs),
            line_to_database: Proxy::to(lab.database.config().port).await,
            lab,
            server,
            broker,
            born: Instant::now(),
        };
        for limits in BATCH_SIZES {
            world.add_consumer(limits);
        }
        world
    }

    pub fn pool(&self) -> &PgPool {
        self.lab.pool()
    }

    pub fn kafka(&self) -> &TestKafka {
        &self.lab.kafka
    }

    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Where what the consumers logged is kept.
    pub fn logs(&self) -> &Path {
        self.fleet.logs()
    }

    /// Has something go wrong, and comes back when it is over.
    pub async fn inflict(&mut self, fault: Fault, rng: &mut StdRng) {
        self.fleet.check();
        match fault {
            Fault::DatabaseStopped => {
                self.server.stop().await;
                self.stay_away(rng).await;
                self.server.start().await;
            }
            Fault::DatabaseCrashed => {
                self.server.crash().await;
                self.stay_away(rng).await;
                self.server.start().await;
            }
            Fault::DatabaseUnreachable => {
                self.line_to_database.refuse();
                self.stay_away(rng).await;
                self.line_to_database.restore();
            }
            Fault::BrokerStopped => {
                self.broker.stop().await;
                self.stay_away(rng).await;
                self.broker.restart().await;
            }
            Fault::BrokerKilled => {
                self.broker.kill9().await;
                self.stay_away(rng).await;
                self.broker.restart().await;
            }
            Fault::BrokerUnreachable => {
                self.broker.proxy.refuse();
                self.stay_away(rng).await;
                self.broker.proxy.restore();
            }
            Fault::ConsumerStopped => {
                self.fleet.stop(rng).await;
                self.add_any(rng);
            }
            Fault::ConsumerRemoved => self.fleet.shrink(rng).await,
            Fault::ConsumerFrozen => self.freeze(rng).await,
            Fault::BackendsKilled => self.kill_backends().await,
            Fault::AnswersLost => self.lose_answers().await,
            sudden => self.inflict_suddenly(sudden, rng).await,
        }
        self.fleet.check();
    }

    async fn inflict_suddenly(&mut self, fault: Fault, rng: &mut StdRng) {
        match fault {
            Fault::ConsumerKilled => {
                self.fleet.kill(rng).await;
                self.add_any(rng);
            }
            Fault::ConsumerAdded => {
                if self.fleet.has_room() {
                    self.add_any(rng);
                }
            }
            Fault::DatabaseCut => self.line_to_database.cut(),
            Fault::BrokerCut => self.broker.proxy.cut(),
            lasting => unreachable!("{lasting:?} takes its time"),
        }
    }

    /// The time something is away, in which something else may go wrong too.
    async fn stay_away(&mut self, rng: &mut StdRng) {
        let back = Instant::now() + Duration::from_millis(rng.random_range(AWAY));
        if rng.random_bool(0.5)
            && let Some(other) = Fault::SUDDEN.choose(rng)
        {
            self.inflict_suddenly(*other, rng).await;
        }
        sleep_until(back).await;
    }

    /// Whether all that was acknowledged is passed in time.
    pub async fn drained(&mut self, sent: &Sent, within: Duration) -> bool {
        let end = Instant::now() + within;
        let wanted = sent.acknowledged.len() as i64;
        while progress::passed(self.pool())
            .await
            .is_none_or(|passed| passed < wanted)
        {
            if Instant::now() >= end {
                return false;
            }
            self.fleet.check();
            tokio::time::sleep(progress::LOOK).await;
        }
        true
    }

    /// Ends the consumers; each hands in what it holds.
    pub async fn end(&mut self) {
        self.fleet.end_all().await;
    }

    /// Where each partition's log ends.
    pub async fn log_ends(&self) -> BTreeMap<i32, i64> {
        let client: BaseConsumer = self.kafka().client().create().unwrap();
        let topic = self.kafka().topic.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let end = |partition| {
                let ends = client.fetch_watermarks(&topic, partition, Duration::from_secs(30));
                (partition, ends.unwrap().1)
            };
            (0..i32::from(PARTITIONS)).map(end).collect()
        });
        asked.await.unwrap()
    }

    fn add_any(&mut self, rng: &mut StdRng) {
        let limits = BATCH_SIZES[rng.random_range(0..BATCH_SIZES.len())];
        self.add_consumer(limits);
    }

    fn add_consumer(&mut self, (messages, wait): (&str, &str)) {
        let port = self.line_to_database.port().to_string();
        let consumer = self.lab.consumer(&[
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &port),
            ("BATCH_MAX_MESSAGES", messages),
            ("BATCH_MAX_WAIT_MS", wait),
        ]);
        self.fleet.add(consumer);
    }

    /// The frozen one still believes to have its lanes when it goes on. Somebody else has them by then, if there
    /// is somebody else.
    async fn freeze(&mut self, rng: &mut StdRng) {
        if self.fleet.has_one() {
            self.add_any(rng);
        }
        // Only who has lanes can lose them.
        eventually("a group that has settled", LONG, || async {
            self.fleet.all_read().await.then_some(())
        })
        .await;
        let before = progress::next_offsets(self.pool()).await;
        let frozen = self.fleet.freeze(rng);
        let pool = self.pool().clone();
        eventually("others read on in all lanes", LONG, || async {
            let now = progress::next_offsets(&pool).await;
            let has_moved =
                |(lane, next): (&i32, &i64)| now.get(lane).is_some_and(|now| now > next);
            before.iter().all(has_moved).then_some(())
        })
        .await;
        self.fleet.thaw(frozen);
    }

    /// Waits for a transaction to kill.
    async fn kill_backends(&self) {
        eventually("a transaction", LONG, || async {
            let kill = sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE application_name = 'pt-consumer' AND datname = current_database()
                    AND backend_xid IS NOT NULL",
            );
            let killed = kill.execute(self.pool()).await.unwrap().rows_affected();
            (killed > 0).then_some(())
        })
        .await;
    }

    async fn lose_answers(&self) {
        self.line_to_database.lose_answers(b"COMMIT", ANSWERS_LOST);
        eventually("lost answers", LONG, || async {
            (self.line_to_database.answers_to_lose() == 0).then_some(())
        })
        .await;
    }
}
