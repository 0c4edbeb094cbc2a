use std::time::Duration;

use super::{ConfigError, Environment};

/// When a batch closes, whichever comes first, and how many names there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingest {
    /// `BATCH_MAX_MESSAGES` (15,000; 1 to 100,000).
    pub batch_max_messages: usize,
    /// `BATCH_MAX_BYTES` (8 MiB; 1 KiB to 64 MiB): sum of the messages' keys and values.
    pub batch_max_bytes: usize,
    /// `BATCH_MAX_WAIT_MS` (200; 1 to 60,000): age of the batch's first message, milliseconds.
    pub batch_max_wait: Duration,
    /// `MAX_NAMES` (10,000; 1 to 1,000,000): different services, and as many sources and status names.
    /// A bug that puts an id into `status` must not grow the dictionaries without end.
    pub max_names: i64,
}

impl Ingest {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let (kib, mib) = (1 << 10, 1 << 20);
        let wait = env.setting("BATCH_MAX_WAIT_MS").number(200, 1..=60_000)?;
        Ok(Self {
            batch_max_messages: env
                .setting("BATCH_MAX_MESSAGES")
                .number(15_000, 1..=100_000)?,
            batch_max_bytes: env
                .setting("BATCH_MAX_BYTES")
                .number(8 * mib, kib..=64 * mib)?,
            batch_max_wait: Duration::from_millis(wait),
            max_names: env.setting("MAX_NAMES").number(10_000, 1..=1_000_000)?,
        })
    }
}
