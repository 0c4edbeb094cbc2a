//! Every setting: its default, its bounds, what wins over what, and what is said when it is wrong.

mod clowder;
mod database;
mod kafka;
mod links;
mod others;

use std::fs;
use std::path::PathBuf;

use super::{ConfigError, Environment};

fn env<const N: usize>(variables: [(&str, &str); N]) -> Environment {
    try_env(variables).unwrap()
}

fn try_env<const N: usize>(variables: [(&str, &str); N]) -> Result<Environment, ConfigError> {
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Environment::new(variables.into())
}

/// The one line an operator sees.
fn message<T: std::fmt::Debug>(loaded: Result<T, ConfigError>) -> String {
    let message = loaded.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message:?}");
    message
}

/// A file of its own, gone with the guard.
struct File(PathBuf);

impl File {
    fn new(content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("payload-tracker-{}", uuid::Uuid::new_v4()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
