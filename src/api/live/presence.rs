//! How many listeners there are, and why they were cut off.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;

use crate::telemetry::metrics::ApiMetrics;
use crate::telemetry::progress::Stalled;

/// Why a listener is cut off, which it is told with its last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was too far behind the others.
    TooSlow,
    Stopping,
    /// The tailer is gone.
    Broken,
}

impl End {
    /// What the listener is told.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooSlow => "too slow",
            Self::Stopping => "the service stops",
            Self::Broken => "the service met a defect",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::TooSlow => "too_slow",
            Self::Stopping => "stopping",
            Self::Broken => "defect",
        }
    }
}

/// Its connection took nothing any more, and no last event either.
const STALLED: &str = "stalled";

/// A listener's connection.
#[derive(Clone, Debug, Default)]
pub struct Line(Stalled);

impl<S: Sync> FromRequestParts<S> for Line {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let stalled = parts.extensions.get::<Stalled>().cloned();
        Ok(Self(stalled.unwrap_or_default()))
    }
}

/// Counts a listener while it is there, and once if it is cut off. One that leaves is not.
pub struct Presence {
    metrics: ApiMetrics,
    line: Line,
    end: Option<End>,
}

impl Presence {
    pub fn begin(metrics: ApiMetrics, line: Line) -> Self {
        metrics.listeners.inc();
        Self {
            metrics,
            line,
            end: None,
        }
    }

    /// The last event is on its way.
    pub fn end(&mut self, end: End) {
        self.end = Some(end);
    }

    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.metrics.listeners.dec();
        let stalled = self.line.0.is_so().then_some(STALLED);
        if let Some(reason) = stalled.or(self.end.map(End::label)) {
            let cut_off = &self.metrics.listeners_cut_off;
            cut_off.with_label_values(&[reason]).inc();
        }
    }
}
