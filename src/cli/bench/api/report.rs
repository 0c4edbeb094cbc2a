//! What was measured of the API, for people and for programs.

use std::fmt;

use serde::Serialize;

use crate::cli::bench::process::Usage;
use crate::cli::bench::report::Latency;

/// One run.
#[derive(Debug, Serialize)]
pub struct Report {
    pub statuses: u64,
    /// Daily partitions they are spread over.
    pub days: u32,
    pub routes: Vec<Route>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Mixed>,
    /// Of pt-api, over the whole run.
    pub api: Usage,
}

/// One kind of question by so many clients at once.
#[derive(Debug, Serialize)]
pub struct Route {
    pub route: &'static str,
    pub clients: usize,
    pub per_second: f64,
    /// Of an answer's body, on average.
    pub bytes: usize,
    pub latency: Latency,
    pub errors: usize,
}

/// All kinds of questions at a fixed rate, while messages are stored.
#[derive(Debug, Serialize)]
pub struct Mixed {
    pub requests_per_second: u32,
    pub messages_per_second: u32,
    #[serde(flatten)]
    pub ingested: Ingested,
    pub latency: Latency,
    pub errors: usize,
}

/// What became of the messages while questions were asked.
#[derive(Debug, Serialize)]
pub struct Ingested {
    pub stored_per_second: f64,
    /// Sent and not stored yet at the end.
    pub backlog: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} statuses over {} days", self.statuses, self.days)?;
        for route in &self.routes {
            let Latency { p50_ms, p99_ms, .. } = route.latency;
            writeln!(
                f,
                "  {:<34} {:>3} clients {:>7.0}/s   p50 {p50_ms:>7.2} ms   p99 {p99_ms:>7.2} ms   {} errors",
                route.route, route.clients, route.per_second, route.errors
            )?;
        }
        if let Some(mixed) = &self.mixed {
            let Latency { p50_ms, p99_ms, .. } = mixed.latency;
            writeln!(
                f,
                "  {} requests/s while {} messages/s are sent: p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, {} errors",
                mixed.requests_per_second, mixed.messages_per_second, mixed.errors
            )?;
            writeln!(
                f,
                "  meanwhile {:.0} messages/s were stored; {} sent were not yet at the end",
                mixed.ingested.stored_per_second, mixed.ingested.backlog
            )?;
        }
        write!(
            f,
            "pt-api: {:.2} s of CPU, {:.0} MiB resident at most",
            self.api.cpu_seconds,
            self.api.peak_rss_bytes as f64 / 1_048_576.0
        )
    }
}
