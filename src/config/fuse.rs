use std::time::Duration;

use super::{ConfigError, Environment};

/// When a lane stops being read because too much of it is rejected: a bad deploy must not turn the
/// topic into rejects unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fuse {
    /// `FUSE_WINDOW` (1,000; 10 to 100,000): the last messages of a lane that are judged, once there
    /// were that many.
    pub window: usize,
    /// `FUSE_MAX_REJECTED_PERCENT` (50; 1 to 100): how many of them may be rejects. 100: no fuse
    /// ever blows.
    pub max_rejected_percent: usize,
    /// `FUSE_COOLDOWN_SECONDS` (600; 1 to 86,400): after that a lane goes on by itself.
    pub cooldown: Duration,
}

impl Fuse {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let cooldown = env
            .setting("FUSE_COOLDOWN_SECONDS")
            .number(600, 1..=86_400)?;
        Ok(Self {
            window: env.setting("FUSE_WINDOW").number(1_000, 10..=100_000)?,
            max_rejected_percent: env
                .setting("FUSE_MAX_REJECTED_PERCENT")
                .number(50, 1..=100)?,
            cooldown: Duration::from_secs(cooldown),
        })
    }
}
