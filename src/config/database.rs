use std::fmt;
use std::time::Duration;

use super::clowder::{self, Clowder};
use super::database_url::DatabaseUrl;
use super::{Authority, ConfigError, Environment};

/// Beside a statement there are connecting and waiting for a session.
const LEAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of the server's identity a TLS session checks (libpq's `sslmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    const NAMES: [(&str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    fn named(text: &str) -> Option<Self> {
        let known = Self::NAMES.iter();
        let mut named = known.filter(|(name, _)| name.eq_ignore_ascii_case(text));
        named.next().map(|(_, mode)| *mode)
    }
}

/// Where PostgreSQL is.
///
/// `DATABASE_URL` wins over the `DB_*` variables for the parts it names.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    /// `DB_HOST` (`localhost`): a host name, an address, or the folder of a Unix socket.
    pub host: String,
    /// `DB_PORT` (5432).
    pub port: u16,
    /// `DB_USER` (`crc`).
    pub user: String,
    /// `DB_PASSWORD` (`crc`).
    pub password: String,
    /// `DB_NAME` (`crc`).
    pub name: String,
    /// `DB_SSLMODE` (`prefer`).
    pub ssl_mode: SslMode,
    /// `DB_CA` (none): a PEM file with the server's authority; Clowder's `rdsCa` is the text itself.
    pub ca: Option<Authority>,
    /// `DB_MAX_CONNECTIONS` (10; 1 to 1,000): sessions a process may hold open, but for a few with tasks of
    /// their own.
    pub max_connections: u32,
    /// `DB_STATEMENT_TIMEOUT_MS` (30,000; 100 to 60,000): after that the server ends a statement of
    /// pt-consumer's. A batch whose statements end so twice in a row is halved. A server that is silent for
    /// twice as long, or 5 s, is taken to have vanished.
    pub statement_timeout: Duration,
}

impl Database {
    /// # Errors
    ///
    /// On a value that is not allowed, and on an authority that cannot be read.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let url = DatabaseUrl::load(env, "DATABASE_URL")?.unwrap_or_default();
        let of = |part: fn(&clowder::Database) -> Option<String>| {
            move |clowder: &Clowder| clowder.database.as_ref().and_then(part)
        };
        let host = env.setting("DB_HOST").unless_in_url(url.host);
        let port = env.setting("DB_PORT").unless_in_url(url.port);
        let user = env.setting("DB_USER").unless_in_url(url.user);
        let password = env
            .setting("DB_PASSWORD")
            .secret()
            .unless_in_url(url.password);
        let name = env.setting("DB_NAME").unless_in_url(url.name);
        let ssl_mode = env.setting("DB_SSLMODE").unless_in_url(url.ssl_mode);
        Ok(Self {
            host: host
                .or_clowder(of(|db| db.hostname.clone()))
                .text("localhost"),
            port: port
                .or_clowder(of(|db| Some(db.port?.to_string())))
                .number(5432, 1..=u16::MAX)?,
            user: user.or_clowder(of(|db| db.username.clone())).text("crc"),
            password: password
                .or_clowder(of(|db| db.password.clone()))
                .text("crc"),
            name: name.or_clowder(of(|db| db.name.clone())).text("crc"),
            ssl_mode: ssl_mode
                .or_clowder(of(|db| db.ssl_mode.clone()))
                .one_of("prefer", &SslMode::NAMES)?,
            ca: Authority::load(env, "DB_CA", url.ssl_root_cert, of(|db| db.rds_ca.clone()))?,
            max_connections: env.setting("DB_MAX_CONNECTIONS").number(10, 1..=1000)?,
            statement_timeout: Duration::from_millis(
                env.setting("DB_STATEMENT_TIMEOUT_MS")
                    .number(30_000, 100..=60_000)?,
            ),
        })
    }
}

impl Database {
    /// What has not come back after this, well over the server's own statement timeout, never will: its host
    /// has vanished, and nothing has told us.
    pub fn answer_timeout(&self) -> Duration {
        (self.statement_timeout * 2).max(LEAST_ANSWER_TIMEOUT)
    }

    /// The replica that `DATABASE_READ_URL` names (none); what it leaves out is as with the primary.
    ///
    /// # Errors
    ///
    /// On a URL that is none or names no host, and on an authority that cannot be read.
    pub fn replica(&self, env: &Environment) -> Result<Option<Self>, ConfigError> {
        let name = "DATABASE_READ_URL";
        let Some(url) = DatabaseUrl::load(env, name)? else {
            return Ok(None);
        };
        let wrong = |fault: &str| ConfigError::DatabaseUrl {
            name,
            fault: fault.to_owned(),
        };
        let primary = self.clone();
        Ok(Some(Self {
            host: url.host.ok_or_else(|| wrong("names no host"))?,
            port: match url.port {
                Some(port) => port.parse().map_err(|_| wrong("has no such port"))?,
                None => primary.port,
            },
            user: url.user.unwrap_or(primary.user),
            password: url.password.unwrap_or(primary.password),
            name: url.name.unwrap_or(primary.name),
            ssl_mode: match url.ssl_mode {
                Some(mode) => SslMode::named(&mode).ok_or_else(|| wrong("has no such sslmode"))?,
                None => primary.ssl_mode,
            },
            ca: match url.ssl_root_cert {
                Some(path) => Some(Authority::of_file(name, &path)?),
                None => primary.ca,
            },
            ..primary
        }))
    }
}

/// Without the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("name", &self.name)
            .field("ssl_mode", &self.ssl_mode)
            .field("ca", &self.ca)
            .field("max_connections", &self.max_connections)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}
