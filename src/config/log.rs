use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{ConfigError, Environment};

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `LOGLEVEL`, else `LOG_LEVEL` (`info`): off, error, warn, info, debug or trace, and after
    /// commas other levels for parts of the program, such as `info,sqlx=warn`.
    pub level: String,
}

impl Log {
    /// # Errors
    ///
    /// On a level that is none.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        // LOGLEVEL is what the Go tracker read, LOG_LEVEL what its deployments also set.
        let name = match env.variable("LOGLEVEL").or(env.variable("LOG_LEVEL")) {
            Some(_) if env.variable("LOGLEVEL").is_none() => "LOG_LEVEL",
            _ => "LOGLEVEL",
        };
        let allowed = "off, error, warn, info, debug or trace, then target=level after commas";
        let level = env.setting(name).checked_text("info", is_level, allowed)?;
        Ok(Self { level })
    }
}

/// tracing's own parser would take a misspelt level for the name of a target.
fn is_level(directives: &str) -> bool {
    let is_known = |directive: &str| {
        let level = directive
            .rsplit_once('=')
            .map_or(directive, |(_, level)| level);
        !level.trim().is_empty() && level.trim().parse::<LevelFilter>().is_ok()
    };
    directives.split(',').all(is_known) && directives.parse::<Targets>().is_ok()
}
