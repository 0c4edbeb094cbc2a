//! Clients that ask, and how long each answer took.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::fill::Keys;
use super::questions::Question;
use crate::cli::Failure;
use crate::cli::bench::report::Latency;

/// Asked before the measurement, by each client: sessions, names and caches are warm then.
const WARMING: usize = 50;

/// By each of them, of each kind, where all kinds are asked.
const WARMING_ALL: usize = 10;

/// Clients that warm what is then asked at a rate.
const WARMING_CLIENTS: usize = 10;

/// What the clients of one run met.
#[derive(Debug, Default)]
pub struct Met {
    pub seconds: f64,
    pub latencies: Vec<Duration>,
    /// Of the bodies of answers.
    pub bytes: usize,
    /// Answers that were no 200, and questions without an answer.
    pub errors: usize,
}

impl Met {
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// How long a body was, on average.
    pub fn mean_bytes(&self) -> usize {
        self.bytes / self.latencies.len().max(1)
    }

    pub fn latency(self) -> Latency {
        Latency::of(self.latencies)
    }
}

/// A 200.
struct Answer {
    taken: Duration,
    bytes: usize,
}

#[derive(Deserialize)]
struct FirstPage {
    /// Left out where there is no second one.
    #[serde(default)]
    next: String,
}

/// Who asks whom for what.
#[derive(Clone)]
pub struct Load {
    http: reqwest::Client,
    base: Arc<str>,
    keys: Arc<Keys>,
    /// The cursor of the statuses after the first ten.
    second_page: Arc<str>,
    next: Arc<AtomicUsize>,
}

impl Load {
    /// `base`: address and mount, where somebody answers.
    ///
    /// # Errors
    ///
    /// Nobody does, or not with statuses.
    pub async fn new(base: String, keys: Keys) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let first = http.get(format!("{base}/statuses")).send().await?;
        let first: FirstPage = serde_json::from_slice(&first.error_for_status()?.bytes().await?)?;
        Ok(Self {
            http,
            base: base.into(),
            keys: keys.into(),
            second_page: first.next.into(),
            next: Arc::default(),
        })
    }

    /// `clients` that each ask again as soon as they are answered.
    ///
    /// # Errors
    ///
    /// A client broke.
    pub async fn closed(
        &self,
        question: Question,
        clients: usize,
        lasts: Duration,
    ) -> Result<Met, Failure> {
        self.warm(question, clients, WARMING).await?;
        let begun = Instant::now();
        let mut met = self
            .each(clients, move |load| async move {
                let mut met = Met::default();
                while begun.elapsed() < lasts {
                    met.note(load.ask(question).await);
                }
                met
            })
            .await?;
        met.seconds = begun.elapsed().as_secs_f64();
        Ok(met)
    }

    async fn warm(&self, question: Question, clients: usize, times: usize) -> Result<(), Failure> {
        let warmed = self.each(clients, move |load| async move {
            for _ in 0..times {
                load.ask(question).await;
            }
            Met::default()
        });
        warmed.await.map(drop)
    }

    /// For [`Self::open`].
    ///
    /// # Errors
    ///
    /// A client broke.
    pub async fn warm_all(&self) -> Result<(), Failure> {
        self.warm(Question::Payload, WARMING_CLIENTS, WARMING_ALL)
            .await?;
        for question in Question::OTHERS.iter().copied() {
            self.warm(question, WARMING_CLIENTS, WARMING_ALL).await?;
        }
        Ok(())
    }

    /// So many questions a second, whether or not the answers keep up: of five three look a payload up, as
    /// front ends and gateways do again and again, and two are of the other kinds in turns.
    ///
    /// # Errors
    ///
    /// A client broke.
    pub async fn open(&self, rate: u32, lasts: Duration) -> Result<Met, Failure> {
        let mut met = Met::default();
        let mut asked = JoinSet::new();
        let mut ticks = interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let begun = Instant::now();
        let mut others = Question::OTHERS.iter().copied().cycle();
        for number in 0_u32.. {
            let question = match number % 5 {
                0..3 => Question::Payload,
                _ => others.next().unwrap_or(Question::Payload),
            };
            let due: Instant = ticks.tick().await.into();
            if begun.elapsed() >= lasts {
                break;
            }
            let load = self.clone();
            // From when it was due: a generator that is late must not flatter the service.
            asked.spawn(async move {
                let answer = load.ask(question).await?;
                let taken = due.elapsed();
                Some(Answer { taken, ..answer })
            });
        }
        for answer in asked.join_all().await {
            met.note(answer);
        }
        met.seconds = begun.elapsed().as_secs_f64();
        Ok(met)
    }

    async fn each<F>(&self, clients: usize, client: impl Fn(Self) -> F) -> Result<Met, Failure>
    where
        F: Future<Output = Met> + Send + 'static,
    {
        let mut all = JoinSet::new();
        for _ in 0..clients {
            all.spawn(client(self.clone()));
        }
        let mut met = Met::default();
        while let Some(one) = all.join_next().await {
            let one = one.map_err(Failure::work)?;
            met.latencies.extend(one.latencies);
            met.bytes += one.bytes;
            met.errors += one.errors;
        }
        Ok(met)
    }

    /// None where the answer was no 200.
    async fn ask(&self, question: Question) -> Option<Answer> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = question.path(&self.keys, &self.second_page, number);
        let url = format!("{}{path}", self.base);
        let begun = Instant::now();
        let answer = self.http.get(url).send().await.ok()?;
        let is_ok = answer.status() == reqwest::StatusCode::OK;
        let body = answer.bytes().await.ok()?;
        (is_ok && !body.is_empty()).then(|| Answer {
            taken: begun.elapsed(),
            bytes: body.len(),
        })
    }
}

impl Met {
    fn note(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer { taken, bytes }) => {
                self.latencies.push(taken);
                self.bytes += bytes;
            }
            None => self.errors += 1,
        }
    }
}
