use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{ConfigError, Environment};

/// The parts of a URL of a database, decoded; those it leaves out are looked up elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DatabaseUrl {
    pub host: Option<String>,
    pub port: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub name: Option<String>,
    pub ssl_mode: Option<String>,
    pub ssl_root_cert: Option<String>,
}

impl DatabaseUrl {
    /// Of the URL in the variable `name`, if it is set.
    pub fn load(env: &Environment, name: &'static str) -> Result<Option<Self>, ConfigError> {
        let Some(text) = env.variable(name) else {
            env.setting(name).optional_text();
            return Ok(None);
        };
        let wrong = |fault| ConfigError::DatabaseUrl { name, fault };
        let url = Url::parse(text).map_err(|error| wrong(format!("is not a URL ({error})")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong(format!("starts with {}:", url.scheme())));
        }
        let parts = Self::parts(&url).map_err(wrong)?;
        env.setting(name)
            .shown_as(without_password(url))
            .optional_text();
        Ok(Some(parts))
    }

    /// What is wrong with the URL, where something is.
    fn parts(url: &Url) -> Result<Self, String> {
        let mut parts = Self {
            host: host(url)?,
            port: url.port().map(|port| port.to_string()),
            user: decoded("user", url.username())?,
            password: decoded("password", url.password().unwrap_or_default())?,
            name: decoded("name", url.path().trim_start_matches('/'))?,
            ..Self::default()
        };
        for (key, value) in url.query_pairs() {
            let part = match &*key {
                "host" => &mut parts.host,
                "sslmode" => &mut parts.ssl_mode,
                "sslrootcert" => &mut parts.ssl_root_cert,
                _ => return Err(format!("has an unknown parameter {key:?}")),
            };
            *part = Some(value.into_owned());
        }
        Ok(parts)
    }
}

/// A name, an address without its brackets, or an encoded socket folder.
fn host(url: &Url) -> Result<Option<String>, String> {
    match url.host() {
        Some(Host::Domain(name)) => decoded("host", name),
        Some(Host::Ipv4(address)) => Ok(Some(address.to_string())),
        Some(Host::Ipv6(address)) => Ok(Some(address.to_string())),
        None => Ok(None),
    }
}

fn decoded(part: &str, text: &str) -> Result<Option<String>, String> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| format!("has a {part} that is not UTF-8"))?;
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

fn without_password(mut url: Url) -> String {
    // Fails only for a URL that cannot have a password.
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url.into()
}
