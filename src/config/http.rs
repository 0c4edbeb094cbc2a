use url::Url;

use super::{ConfigError, Environment, RateLimit};

const METRICS_PATH: &str = "/metrics";
/// Served on the same port as the metrics.
const PROBES: [&str; 3] = ["/live", "/ready", "/health"];

/// Where the API listens, and whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `PUBLICPORT` (8080): the API.
    pub public_port: u16,
    /// `METRICSPORT` (8081): metrics and probes.
    pub metrics_port: u16,
    /// `METRICSPATH` (`/metrics`).
    pub metrics_path: String,
    /// `CORS_ALLOWED_ORIGINS` (none): origins of browsers elsewhere, comma-separated.
    pub cors_allowed_origins: Vec<String>,
    pub rate_limit: RateLimit,
}

/// Where a process without an API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `METRICSPORT` (8081): metrics and probes.
    pub port: u16,
    /// `METRICSPATH` (`/metrics`).
    pub path: String,
}

impl Http {
    /// # Errors
    ///
    /// On a value that is not allowed, and when both ports are the same.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let Metrics {
            port: metrics_port,
            path: metrics_path,
        } = Metrics::load(env)?;
        let public_port = env
            .setting("PUBLICPORT")
            .or_clowder(|clowder| clowder.public_port)
            .parsed(
                "8080",
                "a whole number from 1 to 65535, other than METRICSPORT",
                |text| {
                    text.trim()
                        .parse()
                        .ok()
                        .filter(|port| *port != 0 && *port != metrics_port)
                },
            )?;
        Ok(Self {
            public_port,
            metrics_port,
            metrics_path,
            cors_allowed_origins: env.setting("CORS_ALLOWED_ORIGINS").parsed(
                "",
                "origins such as https://console.example.com, several with commas",
                origins,
            )?,
            rate_limit: RateLimit::load(env)?,
        })
    }
}

impl Metrics {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let port = env
            .setting("METRICSPORT")
            .or_clowder(|clowder| clowder.metrics_port);
        let path = env
            .setting("METRICSPATH")
            .or_clowder(|clowder| clowder.metrics_path.clone());
        Ok(Self {
            port: port.number(8081, 1..=u16::MAX)?,
            path: path.checked_text(
                METRICS_PATH,
                is_path,
                "/ and then a-z, A-Z, 0-9, '/', '_', '-' and '.', but not /live, /ready or /health",
            )?,
        })
    }
}

fn is_path(path: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
    path.starts_with('/') && path.chars().all(is_plain) && !PROBES.contains(&path)
}

fn origins(list: &str) -> Option<Vec<String>> {
    let names = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(origin).collect()
}

/// As a browser writes it: scheme, host and port, nothing after that.
fn origin(text: &str) -> Option<String> {
    let origin = Url::parse(text).ok()?.origin();
    let plain = text.trim_end_matches('/');
    (origin.is_tuple() && origin.ascii_serialization().eq_ignore_ascii_case(plain))
        .then(|| origin.ascii_serialization())
}
