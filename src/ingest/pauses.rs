//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::sleep;

const LONGEST: Duration = Duration::from_secs(3);

/// 100 ms growing to 3 s, with jitter of as much again so that consumers do not come back all at once, for ever.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl Pauses {
    pub fn new() -> Self {
        let growing = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(LONGEST)
            .with_jitter()
            .without_max_times();
        Self(growing.build())
    }

    /// Waits longer than the last time.
    pub async fn wait(&mut self) {
        sleep(self.0.next().unwrap_or(LONGEST)).await;
    }
}
