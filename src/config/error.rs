use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Where a setting's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its own environment variable.
    Environment,
    /// A part of `DATABASE_URL`.
    DatabaseUrl,
    /// The file that `ACG_CONFIG` names.
    Clowder,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "from environment",
            Self::DatabaseUrl => "from DATABASE_URL",
            Self::Clowder => "from Clowder",
            Self::Default => "default",
        })
    }
}

/// A setting with which the process must not start; its text is one line for the operator.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// `found` is `***` for a secret.
    #[error("{name} is {found:?} ({origin}); allowed is {allowed}")]
    Wrong {
        name: &'static str,
        found: String,
        origin: Origin,
        allowed: String,
    },
    #[error("{name} is not set, but needed since {reason}")]
    Missing {
        name: &'static str,
        reason: &'static str,
    },
    #[error("{name} names {path:?}, which cannot be read; allowed is a readable file")]
    Unreadable {
        name: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The value may hold a password and is never shown.
    #[error(
        "{name} {fault}; allowed is postgres://user:password@host:port/name, with ?sslmode= and &sslrootcert= if need be"
    )]
    DatabaseUrl { name: &'static str, fault: String },
    /// serde_json's own message is left out, since it may repeat a secret.
    #[error(
        "ACG_CONFIG names {path:?}, which at line {line} column {column} is not what Clowder writes; allowed is its JSON"
    )]
    Clowder {
        path: PathBuf,
        line: usize,
        column: usize,
    },
}
