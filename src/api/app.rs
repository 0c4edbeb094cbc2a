//! What every route works with.

use std::sync::Arc;

use super::archive::Archive;
use super::counts::Counts;
use super::live::Live;
use super::names::Names;
use super::reading::Reader;
use crate::config::Kibana;
use crate::telemetry::metrics::ApiMetrics;

#[derive(Clone)]
pub struct App {
    pub reader: Reader,
    pub names: Arc<Names>,
    pub counts: Arc<Counts>,
    pub live: Live,
    pub metrics: ApiMetrics,
    pub archive: Arc<Archive>,
    pub kibana: Arc<Kibana>,
}

impl App {
    pub fn new(
        reader: Reader,
        live: Live,
        metrics: ApiMetrics,
        archive: Archive,
        kibana: Kibana,
    ) -> Self {
        Self {
            reader,
            names: Arc::default(),
            counts: Arc::default(),
            live,
            metrics,
            archive: archive.into(),
            kibana: kibana.into(),
        }
    }
}
