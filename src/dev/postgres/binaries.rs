use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Home, PostgresError, fetch};

/// The oldest major version the schema works with.
const OLDEST: u32 = 14;
/// What is fetched when the machine has none and there is no cluster yet.
const FETCHED: u32 = 18;
/// Folders whose every subfolder may be an installation with a `bin` in it.
const INSTALLATIONS: [&str; 4] = [
    "/usr/lib/postgresql",
    "/usr/local/opt",
    "/opt/homebrew/opt",
    "/Library/PostgreSQL",
];
/// `bin` folders of installations from source and from PostgreSQL's own RPM packages.
const BINS: [&str; 2] = ["/usr/local/pgsql/bin", "/usr/local/bin"];

/// Where server binaries may come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// `PT_POSTGRES_BIN` (none): the folder with `initdb` and `postgres` to use, whatever else there is.
    bin: Option<PathBuf>,
    /// `PT_POSTGRES_MAJOR` (none): the major version a new cluster gets, fetched if need be.
    major: Option<u32>,
    /// `MAVEN_CENTRAL_URL` (`https://repo1.maven.org/maven2`): Maven Central or a mirror of it.
    maven_central: String,
}

impl Source {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// `PT_POSTGRES_MAJOR` is not a version this program works with.
    pub fn from_process() -> Result<Self, PostgresError> {
        let major = match text("PT_POSTGRES_MAJOR") {
            None => None,
            Some(text) => match text.parse() {
                Ok(major) if major >= OLDEST => Some(major),
                _ => return Err(PostgresError::Major(text)),
            },
        };
        Ok(Self {
            bin: set("PT_POSTGRES_BIN").map(PathBuf::from),
            major,
            maven_central: text("MAVEN_CENTRAL_URL")
                .unwrap_or_else(|| "https://repo1.maven.org/maven2".into()),
        })
    }

    /// The `bin` folder to run: of the cluster's own major version, or for a new cluster the newest there is.
    pub(super) async fn bin(
        &self,
        home: &Home,
        cluster: Option<u32>,
    ) -> Result<PathBuf, PostgresError> {
        let wanted = cluster.or(self.major);
        if let Some(path) = &self.bin {
            return named(path, wanted);
        }
        let found = candidates(home)
            .into_iter()
            .filter_map(|bin| Some((major(&bin)?, bin)))
            .filter(|(found, _)| wanted.map_or(*found >= OLDEST, |wanted| wanted == *found))
            .max_by_key(|(found, _)| *found);
        match found {
            Some((_, bin)) => Ok(bin),
            None => fetch::fetch(wanted.unwrap_or(FETCHED), &self.maven_central, home).await,
        }
    }
}

/// The folder somebody named, if it can be used.
fn named(path: &Path, wanted: Option<u32>) -> Result<PathBuf, PostgresError> {
    let problem = match (major(path), wanted) {
        (None, _) => "no initdb and postgres that run in there".into(),
        (Some(found), None) if found < OLDEST => {
            format!("this is PostgreSQL {found}; allowed are {OLDEST} and newer")
        }
        (Some(found), Some(wanted)) if found != wanted => {
            format!("this is PostgreSQL {found}, and the cluster is of version {wanted}")
        }
        (Some(_), _) => return Ok(path.to_owned()),
    };
    Err(PostgresError::Named {
        path: path.to_owned(),
        problem,
    })
}

fn candidates(home: &Home) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut bins: Vec<PathBuf> = env::split_paths(&path).collect();
    bins.extend(BINS.iter().map(PathBuf::from));
    bins.extend(bindir_of_pg_config());
    for parent in INSTALLATIONS.iter().map(Path::new).chain([home.folder()]) {
        let Ok(entries) = fs::read_dir(parent) else {
            continue;
        };
        bins.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    bins
}

fn bindir_of_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(
        String::from_utf8(output.stdout).ok()?.trim_end(),
    ))
}

/// The major version of the server in a `bin` folder; none if there is no complete server.
fn major(bin: &Path) -> Option<u32> {
    let server = bin.join("postgres");
    if !bin.join("initdb").is_file() || !server.is_file() {
        return None;
    }
    let output = Command::new(server).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Reads what `postgres --version` prints: `postgres (PostgreSQL) 15.12 (Debian 15.12-0+deb12u2)`.
fn parse_version(line: &str) -> Option<u32> {
    let (_, version) = line.split_once("(PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn set(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

fn text(variable: &str) -> Option<String> {
    set(variable).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn the_major_version_is_read_from_releases_and_previews() {
        let debian = "postgres (PostgreSQL) 15.12 (Debian 15.12-0+deb12u2)\n";
        assert_eq!(parse_version(debian), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(parse_version("postgres: something else"), None);
    }
}
