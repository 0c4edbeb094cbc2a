use std::net::IpAddr;

use ipnet::IpNet;

use super::{ConfigError, Environment};

/// How many requests one client may send, and by which address a client is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `MAX_REQUESTS_PER_MINUTE` (3,000; 0 to 1,000,000): of one client address; 0: no limit.
    pub per_minute: u32,
    /// `TRUSTED_PROXIES` (none): networks or addresses, comma-separated, whose `X-Forwarded-For` is
    /// believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl RateLimit {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            per_minute: env
                .setting("MAX_REQUESTS_PER_MINUTE")
                .number(3_000, 0..=1_000_000)?,
            trusted_proxies: env.setting("TRUSTED_PROXIES").parsed(
                "",
                "networks such as 10.0.0.0/8 or fd00::/8, or addresses, several with commas",
                networks,
            )?,
        })
    }
}

fn networks(list: &str) -> Option<Vec<IpNet>> {
    let texts = list
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    texts.map(network).collect()
}

fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
}
