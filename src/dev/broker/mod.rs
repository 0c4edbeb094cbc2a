//! A Kafka protocol broker inside the process: librdkafka's mock cluster behind a stable address.
//!
//! It speaks the real protocol to any client, but has no admin API, keeps at most 5 MiB a partition and
//! forgets everything at its end: fit for `pt dev` and most tests, not for load or fault tests.

mod forward;
mod mock;

use std::io;

use rdkafka::error::KafkaError;

use forward::Forwarder;
use mock::MockCluster;

/// The host name of the stable address.
const HOST: &str = "localhost";

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("port {port} is taken: {source}")]
    Port { port: u16, source: io::Error },
    #[error("starting the forwarder: {0}")]
    Forwarder(#[source] io::Error),
    #[error("librdkafka's mock cluster: {0}")]
    Cluster(#[source] KafkaError),
    #[error("librdkafka's mock cluster gives no usable address: {0:?}")]
    Address(String),
}

/// A running broker; dropping it stops it and closes its connections.
pub struct Broker {
    // Fields drop in this order: no connection may outlive its cluster.
    forwarder: Forwarder,
    cluster: MockCluster,
}

impl Broker {
    /// Starts a broker of one node on `localhost:port` (0: any free port), on 127.0.0.1 and, where the
    /// machine has it, on ::1.
    ///
    /// # Errors
    /// The port is taken, or librdkafka refuses.
    pub fn start(port: u16) -> Result<Self, BrokerError> {
        let listeners = forward::listen(port)?;
        let cluster = MockCluster::start().map_err(BrokerError::Cluster)?;
        let address = cluster.address()?;
        let forwarder = Forwarder::start(listeners, address).map_err(BrokerError::Forwarder)?;
        cluster.advertise(HOST, forwarder.port());
        Ok(Self { forwarder, cluster })
    }

    /// The address for `bootstrap.servers`, the same one the broker's metadata names.
    pub fn bootstrap(&self) -> String {
        format!("{HOST}:{}", self.forwarder.port())
    }

    /// Makes a topic (the mock cluster has no admin API for clients to do it).
    ///
    /// # Errors
    /// The topic is there already, or its name is no Kafka name.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Result<(), BrokerError> {
        self.cluster
            .create_topic(topic, partitions)
            .map_err(BrokerError::Cluster)
    }
}
