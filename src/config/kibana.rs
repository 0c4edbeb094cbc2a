use url::Url;

use super::{ConfigError, Environment};

const URL: &str = "https://kibana.apps.crcs02ue1.urby.p1.openshiftapps.com/app/kibana#/discover";
const INDEX: &str = "43c5fed0-d5ce-11ea-b58c-a7c95afd7a5d";

/// Where the logs of the platform's services are. The defaults are the Go tracker's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kibana {
    /// `KIBANA_URL`: the page that searches, up to its parameters.
    pub url: String,
    /// `KIBANA_INDEX`: id of the index pattern that is searched.
    pub index: String,
    /// `KIBANA_SERVICE_FIELD` (`app`): the field that names the service.
    pub service_field: String,
}

impl Kibana {
    /// # Errors
    ///
    /// On a value that is not allowed.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            url: env
                .setting("KIBANA_URL")
                .parsed(URL, "a URL with http:// or https://", page)?,
            index: env.setting("KIBANA_INDEX").text(INDEX),
            service_field: env.setting("KIBANA_SERVICE_FIELD").checked_text(
                "app",
                is_field,
                "a field's name: a-z, A-Z, 0-9, '_', '-', '.' and '@'",
            )?,
        })
    }
}

/// As it was written: a parser would rewrite what stands in the fragment.
fn page(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| text.trim().to_owned())
}

fn is_field(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    !name.starts_with('-') && name.chars().all(is_plain)
}
