use std::fs;
use std::path::PathBuf;

use super::clowder::Clowder;
use super::{ConfigError, Environment, Origin};

/// The certificates by which a server is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A PEM file, which was readable at the start.
    File(PathBuf),
    /// PEM text, as Clowder hands it over.
    Pem(String),
}

impl Authority {
    /// The variable names a file; Clowder holds the text itself.
    pub(super) fn load(
        env: &Environment,
        name: &'static str,
        part_of_url: Option<String>,
        pem: impl FnOnce(&Clowder) -> Option<String>,
    ) -> Result<Option<Self>, ConfigError> {
        let is_named = part_of_url.is_some() || env.variable(name).is_some();
        let pem = env
            .clowder()
            .and_then(pem)
            .filter(|pem| !pem.trim().is_empty());
        if let Some(pem) = pem.filter(|_| !is_named) {
            env.setting(name)
                .or_clowder(|_| Some("(PEM text)"))
                .optional_text();
            return match is_pem(&pem) {
                true => Ok(Some(Self::Pem(pem))),
                false => Err(not_pem(name, "(text)", Origin::Clowder)),
            };
        }
        let origin = match part_of_url {
            Some(_) => Origin::DatabaseUrl,
            None => Origin::Environment,
        };
        let path = env.setting(name).unless_in_url(part_of_url).optional_text();
        path.map(|path| match is_pem(&read(name, &path)?) {
            true => Ok(Self::File(path.into())),
            false => Err(not_pem(name, &path, origin)),
        })
        .transpose()
    }
}

impl Authority {
    /// A file that the setting `name` names.
    pub(super) fn of_file(name: &'static str, path: &str) -> Result<Self, ConfigError> {
        match is_pem(&read(name, path)?) {
            true => Ok(Self::File(path.into())),
            false => Err(not_pem(name, path, Origin::Environment)),
        }
    }
}

/// The text of a file that a setting names.
pub(super) fn read(name: &'static str, path: &str) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        name,
        path: path.into(),
        source,
    })
}

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN CERTIFICATE-----")
}

fn not_pem(name: &'static str, found: &str, origin: Origin) -> ConfigError {
    ConfigError::Wrong {
        name,
        found: found.to_owned(),
        origin,
        allowed: "PEM, with at least one BEGIN CERTIFICATE".to_owned(),
    }
}
