use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{Home, PostgresError, USER};

/// One cluster's folder: `data`, `password` and `postgres.log`.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// The major version that made it; none before the first start.
    pub(super) fn major(&self) -> Option<u32> {
        let text = fs::read_to_string(self.data().join("PG_VERSION")).ok()?;
        text.trim().parse().ok()
    }

    pub(super) fn password(&self) -> Result<String, PostgresError> {
        let file = self.password_file();
        fs::read_to_string(&file).map_err(PostgresError::folder(&file))
    }

    /// Makes the cluster beside its final place and moves it there whole, so that an interrupted attempt
    /// is never taken for a cluster.
    pub(super) fn init(&self, home: &Home, bin: &Path, durable: bool) -> Result<(), PostgresError> {
        home.make_private(&self.folder)?;
        let unfinished = self.folder.join("data.unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(PostgresError::folder(&unfinished))?;
        }
        // Every account of the machine reaches the loopback, and a superuser can run programs.
        home.write_private(&self.password_file(), &Uuid::new_v4().simple().to_string())?;
        self.run_initdb(home, bin, &unfinished, durable)?;
        let data = self.data();
        fs::rename(&unfinished, &data).map_err(PostgresError::folder(&data))
    }

    fn run_initdb(
        &self,
        home: &Home,
        bin: &Path,
        into: &Path,
        durable: bool,
    ) -> Result<(), PostgresError> {
        let program = bin.join("initdb");
        let mut command = home.command(&program);
        command
            .args(["--encoding=UTF8", "--locale=C", "--auth=password"])
            .arg(format!("--username={USER}"))
            .arg("--pwfile")
            .arg(self.password_file())
            .arg("--pgdata")
            .arg(into);
        if !durable {
            command.arg("--no-sync");
        }
        let program = program.display().to_string();
        let output = command.output().map_err(|source| PostgresError::Spawn {
            program: program.clone(),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        Err(PostgresError::Initdb {
            program,
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }
}
