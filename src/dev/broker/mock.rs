//! librdkafka's mock cluster, with the two calls that the `rdkafka` crate does not wrap.

use std::ffi::CString;
use std::net::SocketAddr;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::mocking::MockCluster as Wrapped;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as rdsys;

use super::BrokerError;

/// The cluster's only node; librdkafka counts from 1.
const NODE: i32 = 1;

/// The cluster lives in this producer, which never produces anything.
pub(super) struct MockCluster {
    owner: BaseProducer,
}

impl MockCluster {
    pub(super) fn start() -> KafkaResult<Self> {
        let owner: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .create()?;
        let cluster = Self { owner };
        cluster.wrapped()?;
        cluster.no_join_delay();
        Ok(cluster)
    }

    /// Where the node listens, which changes with every start.
    pub(super) fn address(&self) -> Result<SocketAddr, BrokerError> {
        let named = self
            .wrapped()
            .map_err(BrokerError::Cluster)?
            .bootstrap_servers();
        named.parse().map_err(|_| BrokerError::Address(named))
    }

    pub(super) fn create_topic(&self, topic: &str, partitions: u16) -> KafkaResult<()> {
        self.wrapped()?
            .create_topic(topic, i32::from(partitions), 1)
    }

    /// Has the metadata name this address instead of the one the node listens on.
    pub(super) fn advertise(&self, host: &'static str, port: u16) {
        let host = CString::new(host).unwrap_or_default();
        // SAFETY: the handle is not null (`start` looked) and lives as long as `owner`; librdkafka
        // copies the name before it returns.
        unsafe {
            rdsys::rd_kafka_mock_broker_set_host_port(
                self.handle(),
                NODE,
                host.as_ptr(),
                i32::from(port),
            );
        }
    }

    /// A group's first member would otherwise wait three seconds for others.
    fn no_join_delay(&self) {
        // SAFETY: the handle is not null (`start` looked) and lives as long as `owner`.
        unsafe { rdsys::rd_kafka_mock_group_initial_rebalance_delay_ms(self.handle(), 0) };
    }

    fn handle(&self) -> *mut rdsys::rd_kafka_mock_cluster_t {
        // SAFETY: the client is alive as long as `owner`.
        unsafe { rdsys::rd_kafka_handle_mock_cluster(self.owner.client().native_ptr()) }
    }

    fn wrapped(&self) -> KafkaResult<Wrapped<'_, DefaultProducerContext>> {
        self.owner
            .client()
            .mock_cluster()
            .ok_or(KafkaError::MockCluster(RDKafkaErrorCode::Fail))
    }
}
