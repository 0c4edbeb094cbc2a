//! All consumers of a run, measured as one.

use super::consumer;
use super::database::Database;
use super::metrics::Scrape;
use super::process::Usage;
use super::service::Service;
use super::topic::Topic;
use crate::cli::Failure;

/// Consumers that share a topic's partitions.
pub(super) struct Fleet(Vec<Service>);

impl Fleet {
    /// # Errors
    ///
    /// As [`Service::start`].
    pub(super) fn start(size: u16, topic: &Topic, database: &Database) -> Result<Self, Failure> {
        let consumers = (0..size).map(|_| consumer::start(topic, database));
        consumers.collect::<Result<_, _>>().map(Self)
    }

    /// # Errors
    ///
    /// As [`Service::ready`], of any.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        for consumer in &mut self.0 {
            consumer.ready().await?;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// As [`Service::must_run`], of any.
    pub(super) fn must_run(&mut self) -> Result<(), Failure> {
        self.0.iter_mut().try_for_each(Service::must_run)
    }

    /// CPU time of all together, and the most memory that one had.
    pub(super) fn usage(&self) -> Usage {
        let each = self.0.iter().map(Service::usage);
        each.fold(Usage::default(), |all, one| Usage {
            cpu_seconds: all.cpu_seconds + one.cpu_seconds,
            peak_rss_bytes: all.peak_rss_bytes.max(one.peak_rss_bytes),
        })
    }

    /// Their metrics, added up.
    ///
    /// # Errors
    ///
    /// As [`Service::metrics`], of any.
    pub(super) async fn scrape(&self) -> Result<Scrape, Failure> {
        let mut sum = Scrape::default();
        for consumer in &self.0 {
            sum.add(&consumer.metrics().await?);
        }
        Ok(sum)
    }

    /// # Errors
    ///
    /// As [`Service::stop`], of any.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        for consumer in self.0 {
            consumer.stop().await?;
        }
        Ok(())
    }
}
