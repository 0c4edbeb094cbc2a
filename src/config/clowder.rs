//! The part of Clowder's application configuration that steers something here.

use serde::Deserialize;

/// The file that `ACG_CONFIG` names. It holds secrets, hence no `Debug`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Clowder {
    pub public_port: Option<u64>,
    pub metrics_port: Option<u64>,
    pub metrics_path: Option<String>,
    pub kafka: Option<Kafka>,
    pub database: Option<Database>,
    pub endpoints: Vec<Endpoint>,
}

/// Another application's service.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Endpoint {
    pub app: String,
    pub name: String,
    pub hostname: String,
    pub port: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Kafka {
    pub brokers: Vec<Broker>,
    pub topics: Vec<Topic>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Broker {
    pub hostname: String,
    pub port: Option<u64>,
    /// PEM text, not a path.
    pub cacert: Option<String>,
    pub authtype: Option<String>,
    pub sasl: Option<Sasl>,
    pub security_protocol: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Sasl {
    pub username: Option<String>,
    pub password: Option<String>,
    pub sasl_mechanism: Option<String>,
    pub security_protocol: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Topic {
    pub requested_name: String,
    pub name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Database {
    pub hostname: Option<String>,
    pub port: Option<u64>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub ssl_mode: Option<String>,
    /// PEM text, not a path.
    pub rds_ca: Option<String>,
}

impl Clowder {
    /// `host:port` of every broker, comma-separated.
    pub fn bootstrap_servers(&self) -> Option<String> {
        let brokers = self.kafka.as_ref()?.brokers.iter();
        let servers: Vec<_> = brokers
            .map(|broker| format!("{}:{}", broker.hostname, broker.port.unwrap_or(9092)))
            .collect();
        (!servers.is_empty()).then(|| servers.join(","))
    }

    /// The real name of the topic that the application asked for as `requested`.
    pub fn topic(&self, requested: &str) -> Option<&str> {
        let mut topics = self.kafka.as_ref()?.topics.iter();
        let topic = topics.find(|topic| topic.requested_name == requested)?;
        Some(&topic.name)
    }

    /// Where storage-broker gives links to archives.
    pub fn storage_broker(&self) -> Option<String> {
        let is_broker = |of: &&Endpoint| of.app == "storage-broker" && of.name == "processor";
        let Endpoint { hostname, port, .. } = self.endpoints.iter().find(is_broker)?;
        let port = port.unwrap_or(8000);
        Some(format!("http://{hostname}:{port}/archive/url"))
    }

    /// One cluster has one way in, so the first broker speaks for all.
    pub fn broker(&self) -> Option<&Broker> {
        self.kafka.as_ref()?.brokers.first()
    }
}

impl Broker {
    /// The credentials, if SASL is how one logs in.
    pub fn sasl(&self) -> Option<&Sasl> {
        let is_sasl = |authtype: &str| authtype.eq_ignore_ascii_case("sasl");
        let applies = self.authtype.as_deref().is_none_or(is_sasl);
        self.sasl.as_ref().filter(|_| applies)
    }

    pub fn security_protocol(&self) -> Option<&str> {
        let of_sasl = || self.sasl()?.security_protocol.as_deref();
        self.security_protocol.as_deref().or_else(of_sasl)
    }
}
