use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PostgresError;
use crate::dev::child;

/// Accounts to run PostgreSQL as when started as root, in order of preference.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// A user that may own a cluster: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

/// Where private clusters and fetched binaries live, and as whom PostgreSQL runs.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    account: Option<Account>,
}

impl Home {
    /// The given folder or, when started as root and the unprivileged user cannot reach it, one under
    /// `/var/tmp` that is named after it.
    ///
    /// # Errors
    /// A folder cannot be made or belongs to somebody else; root finds no unprivileged user.
    pub fn at(wanted: &Path) -> Result<Self, PostgresError> {
        fs::create_dir_all(wanted).map_err(PostgresError::folder(wanted))?;
        let wanted = fs::canonicalize(wanted).map_err(PostgresError::folder(wanted))?;
        if !child::is_root() {
            return Ok(Self {
                folder: wanted,
                account: None,
            });
        }
        let account = Account::unprivileged().ok_or(PostgresError::NoAccount)?;
        let folder = if account.reaches(&wanted) {
            wanted
        } else {
            substitute(&wanted)?
        };
        Ok(Self {
            folder,
            account: Some(account),
        })
    }

    /// The folder in force.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder only PostgreSQL's account can look into.
    pub(super) fn make_private(&self, path: &Path) -> Result<(), PostgresError> {
        let failed = || PostgresError::folder(path);
        fs::create_dir_all(path).map_err(failed())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed())?;
        self.give(path)
    }

    /// A file only PostgreSQL's account (and root) can read.
    pub(super) fn write_private(&self, path: &Path, text: &str) -> Result<(), PostgresError> {
        let failed = || PostgresError::folder(path);
        fs::write(path, "").map_err(failed())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed())?;
        fs::write(path, text).map_err(failed())?;
        self.give(path)
    }

    /// A command of PostgreSQL's, run as the account that owns the clusters.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    fn give(&self, path: &Path) -> Result<(), PostgresError> {
        let Some(Account { uid, gid }) = self.account else {
            return Ok(());
        };
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(PostgresError::folder(path))
    }
}

impl Account {
    fn unprivileged() -> Option<Self> {
        ACCOUNTS.into_iter().find_map(|name| {
            Some(Self {
                uid: id("-u", name)?,
                gid: id("-g", name)?,
            })
        })
    }

    /// Whether this account may enter the folder, tried out rather than computed from modes and ACLs.
    fn reaches(self, folder: &Path) -> bool {
        Command::new("true")
            .current_dir(folder)
            .uid(self.uid)
            .gid(self.gid)
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// `id` knows every source of accounts that the machine is set up with.
fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn substitute(wanted: &Path) -> Result<PathBuf, PostgresError> {
    let folder = PathBuf::from(format!(
        "/var/tmp/payload-tracker-{:016x}",
        fnv1a(wanted.as_os_str().as_encoded_bytes())
    ));
    match fs::create_dir(&folder) {
        Ok(()) => {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
                .map_err(PostgresError::folder(&folder))?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(PostgresError::folder(&folder)(error)),
    }
    // Anybody may make a folder or a link of that name there.
    let found = fs::symlink_metadata(&folder).map_err(PostgresError::folder(&folder))?;
    if !found.is_dir() || found.uid() != 0 {
        return Err(PostgresError::Foreign(folder));
    }
    Ok(folder)
}

/// The standard library's hash may change between releases, and this one names a folder that must be
/// found again.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
