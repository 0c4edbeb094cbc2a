use super::clowder::Clowder;
use super::kafka_membership::Membership;
use super::kafka_security::{ClientCertificate, Sasl, SecurityProtocol};
use super::{Authority, ConfigError, Environment};

const TOPIC: &str = "platform.payload-status";

/// Where a topic that was never seen before starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    Earliest,
    Latest,
}

impl OffsetReset {
    const NAMES: [(&str, Self); 2] = [("earliest", Self::Earliest), ("latest", Self::Latest)];
}

/// Where Kafka is and how the group reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// `KAFKA_BOOTSTRAP_SERVERS` (`localhost:29092`).
    pub bootstrap_servers: String,
    /// `KAFKA_GROUP_ID` (`payload_tracker`).
    pub group_id: String,
    pub membership: Membership,
    /// `TOPIC_PAYLOAD_STATUS` (`platform.payload-status`, under the name that Clowder gave it).
    pub topic: String,
    /// `KAFKA_AUTO_OFFSET_RESET` (`latest`).
    pub auto_offset_reset: OffsetReset,
    /// `KAFKA_SECURITY_PROTOCOL`: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    /// By default SASL where there is a user name, and TLS where there is a user name or an
    /// authority: a password never travels in the clear unless that is asked for.
    pub security_protocol: SecurityProtocol,
    /// `KAFKA_CA` (none): a PEM file with the brokers' authority; Clowder's `cacert` is the text itself.
    pub ca: Option<Authority>,
    pub client_certificate: Option<ClientCertificate>,
    /// There exactly if the security protocol is one of SASL.
    pub sasl: Option<Sasl>,
}

impl Kafka {
    /// # Errors
    ///
    /// On a value that is not allowed, on files that cannot be read, and where security protocol
    /// and credentials contradict each other.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let bootstrap_servers = env
            .setting("KAFKA_BOOTSTRAP_SERVERS")
            .or_clowder(Clowder::bootstrap_servers)
            .checked_text(
                "localhost:29092",
                are_servers,
                "host:port, several with commas",
            )?;
        let topic = env
            .setting("TOPIC_PAYLOAD_STATUS")
            .or_clowder(|clowder| clowder.topic(TOPIC).map(str::to_owned))
            .checked_text(
                TOPIC,
                is_name,
                "1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'",
            )?;
        let ca = Authority::load(env, "KAFKA_CA", None, |clowder| {
            clowder.broker()?.cacert.clone()
        })?;
        let username = Sasl::username(env);
        let security_protocol = SecurityProtocol::load(env, username.is_some(), ca.is_some())?;
        Ok(Self {
            bootstrap_servers,
            group_id: env.setting("KAFKA_GROUP_ID").text("payload_tracker"),
            membership: Membership::load(env)?,
            topic,
            auto_offset_reset: env
                .setting("KAFKA_AUTO_OFFSET_RESET")
                .one_of("latest", &OffsetReset::NAMES)?,
            security_protocol,
            ca,
            client_certificate: ClientCertificate::load(env)?,
            sasl: match security_protocol.is_sasl() {
                true => Some(Sasl::load(env, username)?),
                false => None,
            },
        })
    }

    /// What every client of these brokers must be told, under librdkafka's names.
    ///
    /// Of the settings for reading, such as the group, it holds nothing. The values hold secrets.
    pub fn client_properties(&self) -> Vec<(&'static str, String)> {
        let mut properties = vec![
            ("bootstrap.servers", self.bootstrap_servers.clone()),
            (
                "security.protocol",
                self.security_protocol.as_str().to_owned(),
            ),
        ];
        if self.security_protocol.is_tls() {
            match &self.ca {
                Some(Authority::File(path)) => {
                    properties.push(("ssl.ca.location", path.display().to_string()));
                }
                Some(Authority::Pem(pem)) => properties.push(("ssl.ca.pem", pem.clone())),
                None => {}
            }
            if let Some(ClientCertificate { certificate, key }) = &self.client_certificate {
                properties.push(("ssl.certificate.location", certificate.clone()));
                properties.push(("ssl.key.location", key.clone()));
            }
        }
        if let Some(sasl) = &self.sasl {
            properties.push(("sasl.mechanism", sasl.mechanism.as_str().to_owned()));
            properties.push(("sasl.username", sasl.username.clone()));
            properties.push(("sasl.password", sasl.password.clone()));
        }
        properties
    }
}

fn are_servers(servers: &str) -> bool {
    servers.split(',').all(|server| {
        let parts = server.trim().rsplit_once(':');
        parts.is_some_and(|(host, port)| {
            let is_host = !host.is_empty() && !host.contains(char::is_whitespace);
            is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    })
}

/// Kafka's rule for topics and instance ids; a topic's name that starts with `^` would be a pattern to librdkafka.
pub(super) fn is_name(name: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name.chars().all(is_legal) && name != "." && name != ".."
}
