use super::{ConfigError, Environment, rules};

/// How long what was stored is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `RETENTION_DAYS` (7; 1 to 100,000): statuses of this many UTC days before today are kept, and
    /// payloads that have one. A message that is older is a reject.
    pub days: u32,
    /// `REJECT_RETENTION_DAYS` (30; 1 to 100,000): days, of 24 hours, for which rejects and the
    /// hourly counts of producers are kept.
    pub reject_days: u32,
}

impl Retention {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            days: rules::retention_days(env)?,
            reject_days: env
                .setting("REJECT_RETENTION_DAYS")
                .number(30, 1..=100_000)?,
        })
    }
}
