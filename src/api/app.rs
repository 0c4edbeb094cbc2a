//! What every route works with.

use std::sync::Arc;

use super::names::Names;
use super::reading::Reader;
use crate::telemetry::metrics::ApiMetrics;

#[derive(Clone)]
pub struct App {
    pub reader: Reader,
    pub names: Arc<Names>,
    pub metrics: ApiMetrics,
}

impl App {
    pub fn new(reader: Reader, metrics: ApiMetrics) -> Self {
        Self {
            reader,
            names: Arc::default(),
            metrics,
        }
    }
}
