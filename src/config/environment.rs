use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::clowder::Clowder;
use super::setting::Setting;
use super::{ConfigError, Origin};

/// The raw settings, and a record of those that were asked for.
pub struct Environment {
    variables: HashMap<String, String>,
    clowder: Option<Clowder>,
    used: RefCell<Vec<Used>>,
}

/// A setting in force.
pub(super) struct Used {
    pub name: &'static str,
    /// As it may be shown.
    pub value: String,
    pub origin: Origin,
}

impl Environment {
    /// The environment of this process.
    ///
    /// # Errors
    ///
    /// As [`Environment::new`].
    pub fn from_process() -> Result<Self, ConfigError> {
        // What is not UTF-8 fails where the one setting is checked, not because it exists.
        let variables = std::env::vars_os().map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        });
        Self::new(variables.collect())
    }

    /// These variables and the Clowder file they name.
    ///
    /// # Errors
    ///
    /// When `ACG_CONFIG` names a file that cannot be read or is not Clowder's JSON.
    pub fn new(variables: HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut environment = Self {
            variables,
            clowder: None,
            used: RefCell::default(),
        };
        if let Some(path) = environment.setting("ACG_CONFIG").optional_text() {
            environment.clowder = Some(read_clowder(path.into())?);
        }
        Ok(environment)
    }

    /// One line a setting that was loaded, in the order of loading: `NAME=value  (origin)`.
    ///
    /// Secrets are `***`, a password within a URL too; `NAME=` stands for a setting without a value.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for Used {
            name,
            value,
            origin,
        } in self.used.borrow().iter()
        {
            // Writing to a String cannot fail.
            let _ = writeln!(report, "{name}={value}  ({origin})");
        }
        report
    }

    pub(super) fn setting(&self, name: &'static str) -> Setting<'_> {
        Setting::new(self, name)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.trim().is_empty())
    }

    pub(super) fn clowder(&self) -> Option<&Clowder> {
        self.clowder.as_ref()
    }

    /// A setting that two structs share is listed once.
    pub(super) fn record(&self, setting: Used) {
        let mut used = self.used.borrow_mut();
        match used.iter_mut().find(|known| known.name == setting.name) {
            Some(known) => *known = setting,
            None => used.push(setting),
        }
    }
}

fn read_clowder(path: PathBuf) -> Result<Clowder, ConfigError> {
    let json = fs::read(&path).map_err(|source| ConfigError::Unreadable {
        name: "ACG_CONFIG",
        path: path.clone(),
        source,
    })?;
    serde_json::from_slice(&json).map_err(|error| ConfigError::Clowder {
        path,
        line: error.line(),
        column: error.column(),
    })
}
