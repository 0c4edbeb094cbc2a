//! How a Kafka client proves who it is, and knows who it talks to.

use std::fmt;

use super::clowder::{self, Broker, Clowder};
use super::{ConfigError, Environment, authority};

/// Whether the brokers speak TLS, and whether one logs in with SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    const ALL: [Self; 4] = [
        Self::Plaintext,
        Self::Ssl,
        Self::SaslPlaintext,
        Self::SaslSsl,
    ];

    /// librdkafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether there is a user name or an authority decides the default.
    pub(super) fn load(
        env: &Environment,
        has_user: bool,
        has_authority: bool,
    ) -> Result<Self, ConfigError> {
        let default = match (has_user, has_authority) {
            (true, _) => "SASL_SSL",
            (false, true) => "SSL",
            (false, false) => "PLAINTEXT",
        };
        // Credentials that would be ignored are a mistake, unless they are Clowder's and were overruled.
        let asks_for_sasl = env.variable("KAFKA_USERNAME").is_some();
        let asks_for_tls = env.variable("KAFKA_CA").is_some();
        env.setting("KAFKA_SECURITY_PROTOCOL")
            .or_clowder(|clowder| clowder.broker()?.security_protocol().map(str::to_owned))
            .parsed(
                default,
                "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; one of SASL if KAFKA_USERNAME is set, one of SSL if KAFKA_CA is",
                |text| {
                    let protocol = Self::of_name(text.trim())?;
                    let suits = (protocol.is_sasl() || !asks_for_sasl) && (protocol.is_tls() || !asks_for_tls);
                    suits.then_some(protocol)
                },
            )
    }

    fn of_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|protocol| protocol.as_str().eq_ignore_ascii_case(name))
    }

    pub(super) fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub(super) fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How SASL proves the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl SaslMechanism {
    const NAMES: [(&str, Self); 3] = [
        ("PLAIN", Self::Plain),
        ("SCRAM-SHA-256", Self::ScramSha256),
        ("SCRAM-SHA-512", Self::ScramSha512),
    ];

    /// librdkafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// SASL credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// `KAFKA_SASL_MECHANISM` (`SCRAM-SHA-512`): or `SCRAM-SHA-256`, `PLAIN`.
    pub mechanism: SaslMechanism,
    /// `KAFKA_USERNAME`.
    pub username: String,
    /// `KAFKA_PASSWORD`.
    pub password: String,
}

/// What a client shows to brokers that ask for a certificate. Both are PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `KAFKA_CLIENT_CERT`.
    pub certificate: String,
    /// `KAFKA_CLIENT_KEY`, without a passphrase.
    pub key: String,
}

impl Sasl {
    pub(super) fn username(env: &Environment) -> Option<String> {
        let of_clowder = sasl(|sasl| sasl.username.clone());
        env.setting("KAFKA_USERNAME")
            .or_clowder(of_clowder)
            .optional_text()
    }

    pub(super) fn load(env: &Environment, username: Option<String>) -> Result<Self, ConfigError> {
        let reason = "KAFKA_SECURITY_PROTOCOL is one of SASL";
        let missing = |name| ConfigError::Missing { name, reason };
        let mechanism = env.setting("KAFKA_SASL_MECHANISM");
        let password = env.setting("KAFKA_PASSWORD").secret();
        Ok(Self {
            mechanism: mechanism
                .or_clowder(sasl(|sasl| sasl.sasl_mechanism.clone()))
                .one_of("SCRAM-SHA-512", &SaslMechanism::NAMES)?,
            username: username.ok_or_else(|| missing("KAFKA_USERNAME"))?,
            password: password
                .or_clowder(sasl(|sasl| sasl.password.clone()))
                .optional_text()
                .ok_or_else(|| missing("KAFKA_PASSWORD"))?,
        })
    }
}

impl ClientCertificate {
    pub(super) fn load(env: &Environment) -> Result<Option<Self>, ConfigError> {
        let certificate = env.setting("KAFKA_CLIENT_CERT").optional_text();
        let key = env.setting("KAFKA_CLIENT_KEY").optional_text();
        let missing = |name, reason| Err(ConfigError::Missing { name, reason });
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return Ok(None),
            (Some(_), None) => return missing("KAFKA_CLIENT_KEY", "KAFKA_CLIENT_CERT is set"),
            (None, Some(_)) => return missing("KAFKA_CLIENT_CERT", "KAFKA_CLIENT_KEY is set"),
        };
        authority::read("KAFKA_CLIENT_CERT", &certificate)?;
        authority::read("KAFKA_CLIENT_KEY", &key)?;
        Ok(Some(Self { certificate, key }))
    }
}

/// Without the password.
impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

fn sasl(
    part: impl FnOnce(&clowder::Sasl) -> Option<String>,
) -> impl FnOnce(&Clowder) -> Option<String> {
    move |clowder| clowder.broker().and_then(Broker::sasl).and_then(part)
}
