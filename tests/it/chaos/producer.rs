use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::Settings;
use super::traffic;
use crate::support::TestKafka;

/// How much is sent at once.
const TICK: Duration = Duration::from_millis(10);
const FLUSH_WITHIN: Duration = Duration::from_secs(120);

/// Where a message is.
pub type Place = (i32, i64);

/// What became of the messages on Kafka's side.
#[derive(Default)]
pub struct Sent {
    /// The number of the message at each place.
    pub acknowledged: BTreeMap<Place, u64>,
    /// It is unknown whether Kafka has these.
    pub unanswered: Vec<u64>,
}

/// Sends messages at a steady rate, from a thread of its own, until it is told to finish.
pub struct Producer {
    stop: Arc<AtomicBool>,
    sending: JoinHandle<Sent>,
}

impl Producer {
    pub fn start(kafka: &TestKafka, settings: Settings) -> Self {
        let mut config = kafka.client();
        config
            .set("linger.ms", "20")
            // Acknowledged by all, in order, and stored once however often it is sent.
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.messages", "2000000");
        let topic = kafka.topic.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sending = thread::spawn(move || {
            let producer = config.create_with_context(Deliveries::default()).unwrap();
            send(&producer, &topic, settings, &stopped);
            producer.flush(FLUSH_WITHIN).unwrap();
            std::mem::take(&mut *producer.context().sent.lock().unwrap())
        });
        Self { stop, sending }
    }

    /// Waits until Kafka has answered for every message.
    pub async fn finish(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(|| self.sending.join());
        joined.await.unwrap().unwrap()
    }
}

fn send(
    producer: &ThreadedProducer<Deliveries>,
    topic: &str,
    settings: Settings,
    stopped: &AtomicBool,
) {
    let begun = Instant::now();
    let mut number = 0;
    while !stopped.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * settings.rate as f64) as u64;
        for number in number..due {
            send_one(producer, topic, settings.seed, number);
        }
        number = due;
        thread::sleep(TICK);
    }
}

fn send_one(producer: &ThreadedProducer<Deliveries>, topic: &str, seed: u64, number: u64) {
    let message = traffic::message(seed, number);
    let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, number as usize)
        .partition(message.partition);
    record.key = message.key.as_deref();
    record.payload = message.value.as_deref();
    while let Err((error, refused)) = producer.send(record) {
        assert_eq!(
            error,
            KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
        );
        record = refused;
        thread::sleep(TICK);
    }
}

#[derive(Default)]
struct Deliveries {
    sent: Mutex<Sent>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let mut sent = self.sent.lock().unwrap();
        match result {
            Ok(message) => {
                let place = (message.partition(), message.offset());
                let before = sent.acknowledged.insert(place, number as u64);
                assert_eq!(before, None, "two messages at {place:?}");
            }
            Err(_) => sent.unanswered.push(number as u64),
        }
    }
}
