//! Logs as the contract's section 4 has them: one JSON object a line on stdout.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config;

/// The keys of the contract, in their order; an event's field of such a name is left out.
const KEYS: [&str; 4] = ["@timestamp", "levelname", "message", "app"];

/// Why nothing can be logged.
#[derive(Debug, Error)]
pub enum LogsError {
    #[error("the log level {level:?} is none")]
    Level { level: String, source: ParseError },
    #[error("the process logs already")]
    Twice(#[from] TryInitError),
}

/// The pool's word on each session that broke: whoever used it says so too, and what nobody used is not missed.
const QUIET: &str = "sqlx_core::pool=error";

/// Sends what this process logs to stdout, under the name `app`.
///
/// # Errors
///
/// On a level that [`config::Log::load`] would not have let pass, and on a second call.
pub fn init(config: &config::Log, app: &'static str) -> Result<(), LogsError> {
    subscriber(config, app, std::io::stdout)?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    config: &config::Log,
    app: &'static str,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, LogsError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // What is said later, for the same target, holds.
    let directives = format!("{QUIET},{}", config.level);
    let targets: Targets = directives.parse().map_err(|source| LogsError::Level {
        level: config.level.clone(),
        source,
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Json { app })
        .with_writer(writer);
    Ok(tracing_subscriber::registry().with(targets).with(lines))
}

/// The format of a line.
struct Json {
    app: &'static str,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str();
        writeln!(line, "{}", fields.json(Utc::now(), level, self.app))
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn json(self, now: DateTime<Utc>, level: &str, app: &str) -> String {
        let time = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        let values = [time.as_str(), level, self.message.as_str(), app];
        let head = KEYS.into_iter().zip(values.map(Value::from));
        let others = self
            .others
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        let members: Vec<_> = head
            .chain(others)
            .map(|(name, value)| format!("{}:{value}", Value::from(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn put(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => {
                self.message = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
            }
            // What the `log` crate's records say of their origin.
            name if name.starts_with("log.") || KEYS.contains(&name) => {}
            name => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        self.put(field, text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let config = config::Log {
            level: level.to_owned(),
        };
        let subscriber = subscriber(&config, "pt-test", move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn without_time(line: &str) -> &str {
        let (time, rest) = line
            .strip_prefix(r#"{"@timestamp":""#)
            .and_then(|line| line.split_once(r#"","#))
            .unwrap();
        let time: DateTime<Utc> = time.parse().unwrap();
        assert!((Utc::now() - time).num_seconds().abs() < 60);
        rest
    }

    #[test]
    fn a_line_is_one_object_with_the_contracts_keys_first() {
        let line = logged("info", || tracing::info!("all \"is\"\nwell"));
        let expected = r#""levelname":"INFO","message":"all \"is\"\nwell","app":"pt-test"}"#;
        assert_eq!(without_time(&line), format!("{expected}\n"));
    }

    #[test]
    fn fields_follow_with_their_types() {
        let error = io::Error::other(config::ConfigError::Missing {
            name: "X",
            reason: "y",
        });
        let line = logged("info", || {
            tracing::warn!(partition = 3, ratio = 0.5, error = &error as &dyn std::error::Error, open = true, topic = %"t", "lag {}", 7);
        });
        assert_eq!(
            without_time(&line),
            r#""levelname":"WARN","message":"lag 7","app":"pt-test","error":"X is not set, but needed since y","open":true,"partition":3,"ratio":0.5,"topic":"t"}"#.to_owned() + "\n"
        );
    }

    #[test]
    fn a_field_cannot_pose_as_one_of_the_contracts_keys() {
        let line = logged("info", || {
            tracing::info!(app = "other", levelname = 1, "hello")
        });
        assert_eq!(
            without_time(&line),
            "\"levelname\":\"INFO\",\"message\":\"hello\",\"app\":\"pt-test\"}\n"
        );
    }

    #[test]
    fn levels_hold_by_target() {
        let lines = logged("WARN,payload_tracker::telemetry=debug", || {
            tracing::debug!("here");
            tracing::info!(target: "sqlx", "not there");
            tracing::error!(target: "sqlx", "but this");
        });
        let messages: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].clone())
            .collect();
        assert_eq!(messages, ["here", "but this"]);
    }

    #[test]
    fn broken_sessions_are_told_of_once_unless_asked_for() {
        let log = || tracing::warn!(target: "sqlx_core::pool::inner", "ping failed");
        assert_eq!(logged("info", log), "");
        assert!(logged("info,sqlx_core::pool=warn", log).contains("ping failed"));
    }
}
