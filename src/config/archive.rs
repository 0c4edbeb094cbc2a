use std::time::Duration;

use url::Url;

use super::{ConfigError, Environment};

const BROKER: &str = "http://storage-broker-processor:8000/archive/url";
const ALLOWED_BROKER: &str =
    "a URL with http:// or https://, a host, and no query, fragment or password";

/// Whom links to archives come from, and who may have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// `REQUESTOR_IMPL` (`storage-broker`): or `mock`.
    pub requestor: Requestor,
    /// `STORAGEBROKERURLROLE` (`platform-archive-download`): the role a link is given to.
    pub role: String,
}

/// Whom links to archives come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requestor {
    StorageBroker {
        /// `STORAGEBROKERURL` (`http://storage-broker-processor:8000/archive/url`).
        url: Url,
        /// `STORAGEBROKERREQUESTTIMEOUT` (35,000 ms; 1 to 600,000): for the whole answer.
        timeout: Duration,
    },
    /// Nobody: a link leads back to the API, and no identity is needed.
    Mock,
}

impl Archive {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let mock = env.setting("REQUESTOR_IMPL").one_of(
            "storage-broker",
            &[("storage-broker", false), ("mock", true)],
        )?;
        let url = env
            .setting("STORAGEBROKERURL")
            .or_clowder(|clowder| clowder.storage_broker())
            .parsed(BROKER, ALLOWED_BROKER, broker)?;
        let timeout = env
            .setting("STORAGEBROKERREQUESTTIMEOUT")
            .number(35_000, 1..=600_000)?;
        Ok(Self {
            requestor: match mock {
                true => Requestor::Mock,
                false => Requestor::StorageBroker {
                    url,
                    timeout: Duration::from_millis(timeout),
                },
            },
            role: env
                .setting("STORAGEBROKERURLROLE")
                .text("platform-archive-download"),
        })
    }
}

fn broker(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(url)
}
