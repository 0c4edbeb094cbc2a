use std::env;
use std::path::PathBuf;

use super::ports::Port;
use crate::cli::Failure;
use crate::dev::postgres::Source;

/// What `pt dev` itself reads from the environment.
#[derive(Debug)]
pub(super) struct Settings {
    /// `PT_DEV_DIR` (`.dev`): data and logs.
    pub folder: PathBuf,
    /// `TOPIC_PAYLOAD_STATUS` (`platform.payload-status`).
    pub topic: String,
    /// `PUBLICPORT` (8080).
    pub api: Port,
    /// `METRICSPORT` (8081): metrics and probes of the API.
    pub api_metrics: Port,
    /// `CONSUMER_METRICSPORT` (8082): metrics and probes of the consumer. Both programs default to 8081.
    pub consumer_metrics: Port,
    /// `KAFKA_PORT` (29092), the one that clients expect by default.
    pub kafka: Port,
    /// `POSTGRES_PORT` (any free one).
    pub postgres: Option<Port>,
    /// Where PostgreSQL's binaries come from.
    pub binaries: Source,
}

impl Settings {
    pub(super) fn from_process() -> Result<Self, Failure> {
        let folder = text("PT_DEV_DIR").unwrap_or_else(|| ".dev".into());
        let topic = text("TOPIC_PAYLOAD_STATUS");
        let port = |variable, purpose, default| {
            Ok::<_, Failure>(port(variable, purpose)?.unwrap_or(Port {
                variable,
                purpose,
                number: default,
            }))
        };
        Ok(Self {
            folder: folder.into(),
            topic: topic.unwrap_or_else(|| "platform.payload-status".into()),
            api: port("PUBLICPORT", "the API", 8080)?,
            api_metrics: port("METRICSPORT", "the API's metrics", 8081)?,
            consumer_metrics: port("CONSUMER_METRICSPORT", "the consumer's metrics", 8082)?,
            kafka: port("KAFKA_PORT", "the Kafka broker", 29092)?,
            postgres: self::port("POSTGRES_PORT", "PostgreSQL")?,
            binaries: Source::from_process().map_err(Failure::settings)?,
        })
    }

    /// Every port that must be free.
    pub(super) fn ports(&self) -> impl Iterator<Item = Port> {
        [
            self.api,
            self.api_metrics,
            self.consumer_metrics,
            self.kafka,
        ]
        .into_iter()
        .chain(self.postgres)
    }
}

fn port(variable: &'static str, purpose: &'static str) -> Result<Option<Port>, Failure> {
    let Some(value) = text(variable) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(number) if number > 0 => Ok(Some(Port {
            variable,
            purpose,
            number,
        })),
        _ => Err(Failure::settings(format!(
            "{variable}={value}: allowed is a port number, 1 to 65535"
        ))),
    }
}

fn text(variable: &str) -> Option<String> {
    let value = env::var_os(variable)?.to_string_lossy().trim().to_owned();
    (!value.is_empty()).then_some(value)
}
