//! Plays uploads as time goes by.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;

use super::Sender;
use super::fleet::Fleet;
use super::journey::Journey;
use super::upload::{Report, Upload};

/// With about a dozen messages an upload: three or four messages a second.
const BETWEEN_UPLOADS: TimeDelta = TimeDelta::milliseconds(3500);
/// A report arrives up to this many milliseconds after the instant it speaks of, and so may
/// overtake others.
const MAX_DELAY: i64 = 600;

pub struct Stream {
    sender: Sender,
    script: Script,
}

impl Stream {
    pub fn new(sender: Sender, fleet: Fleet, rng: StdRng) -> Self {
        Self {
            sender,
            script: Script::new(fleet, rng, Utc::now()),
        }
    }

    /// Ends soon after `stop` is cancelled. A message that the broker does not take is left out.
    pub async fn run(mut self, stop: CancellationToken) {
        let play = async {
            loop {
                let wait = (self.script.next() - Utc::now()).to_std();
                tokio::time::sleep(wait.unwrap_or_default()).await;
                for report in self.script.due(Utc::now()) {
                    if let Err(error) = self.sender.send(&report).await {
                        tracing::warn!(%error, "the broker did not take a message of the demo");
                    }
                }
            }
        };
        stop.run_until_cancelled(play).await;
    }
}

/// What is sent when. It holds only uploads under way, each over within a minute, so it stays
/// at a few hundred messages.
pub struct Script {
    fleet: Fleet,
    rng: StdRng,
    /// By time of sending; the number tells reports of the same microsecond apart.
    waiting: BTreeMap<(DateTime<Utc>, u64), Report>,
    planned: u64,
    next_upload: DateTime<Utc>,
}

impl Script {
    pub fn new(fleet: Fleet, rng: StdRng, start: DateTime<Utc>) -> Self {
        Self {
            fleet,
            rng,
            waiting: BTreeMap::new(),
            planned: 0,
            next_upload: start,
        }
    }

    /// When something is to be done next.
    pub fn next(&self) -> DateTime<Utc> {
        match self.waiting.first_key_value() {
            Some(((due, _), _)) => self.next_upload.min(*due),
            None => self.next_upload,
        }
    }

    /// Takes what is to be sent at `now`. Uploads that a stalled broker held up are not made
    /// up for: at most one begins.
    pub fn due(&mut self, now: DateTime<Utc>) -> Vec<Report> {
        if self.next_upload <= now {
            self.next_upload = now + BETWEEN_UPLOADS;
            self.plan(now);
        }
        let later = self.waiting.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.waiting, later)
            .into_values()
            .collect()
    }

    /// How many messages are planned and not yet sent.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn plan(&mut self, start: DateTime<Utc>) {
        let journey = Journey::any(&mut self.rng);
        let upload = Upload::new(self.fleet.any(&mut self.rng), journey, &mut self.rng);
        for report in upload.reports(start, &mut self.rng) {
            let delay = TimeDelta::milliseconds(self.rng.random_range(0..=MAX_DELAY));
            self.waiting
                .insert((report.date + delay, self.planned), report);
            self.planned += 1;
        }
    }
}
