//! The two services as processes beside this one.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cli::Failure;
use crate::config::Database;
use crate::dev::child::{Child, Signal};
use crate::dev::orphan;

const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Lines of a service's log shown when it ended by itself.
const TAIL: usize = 5;

/// A running service.
#[derive(Debug)]
pub(super) struct Service {
    name: &'static str,
    metrics_port: u16,
    child: Child,
    log: PathBuf,
}

/// How a service is started.
pub(super) struct Plan<'a> {
    pub name: &'static str,
    pub metrics_port: u16,
    pub envs: Vec<(&'static str, String)>,
    /// Where its log goes.
    pub folder: &'a Path,
}

impl Service {
    /// Starts the program of that name that lies beside this one. It knows no other Kafka or PostgreSQL than
    /// those it is given; all other settings are passed on.
    pub(super) fn start(plan: Plan<'_>) -> Result<Self, Failure> {
        let Plan {
            name,
            metrics_port,
            envs,
            folder,
        } = plan;
        let program = beside(name)?;
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let mut command = Command::new(&program);
        command
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| !leads_elsewhere(name)))
            .envs(envs)
            .env("METRICSPORT", metrics_port.to_string())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = Child::spawn(command, Signal::Terminate)
            .map_err(|error| Failure::work(format!("starting {}: {error}", program.display())))?;
        let pid = format!("{}\n{}\n", child.id(), program.display());
        fs::write(pid_file(folder, name), pid)?;
        Ok(Self {
            name,
            metrics_port,
            child,
            log,
        })
    }

    /// Waits until `/ready` answers 200.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(death) = self.death() {
                return Err(Failure::work(death));
            }
            let problem = match probe(self.metrics_port).await {
                Ok(()) => return Ok(()),
                Err(problem) => problem,
            };
            if Instant::now() >= deadline {
                return Err(Failure::work(format!(
                    "{} is not ready after {} s ({problem}); see {}",
                    self.name,
                    READY_WITHIN.as_secs(),
                    self.log.display()
                )));
            }
            sleep(LOOK).await;
        }
    }

    /// How it ended by itself; none while it runs.
    pub(super) fn death(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("; ");
        Some(format!(
            "{} ended by itself ({status}); its last words in {}: {tail}",
            self.name,
            self.log.display()
        ))
    }

    pub(super) async fn stop(mut self, limit: Duration) {
        self.child.end(Signal::Terminate, limit).await.ok();
    }
}

/// Ends the service that a killed `pt dev` left behind, if any.
pub(super) async fn end_orphan(folder: &Path, name: &str) {
    let file = pid_file(folder, name);
    let text = fs::read_to_string(&file).unwrap_or_default();
    let mut lines = text.lines();
    if let (Some(Ok(pid)), Some(program)) = (lines.next().map(str::parse), lines.next()) {
        orphan::end(pid, program, &[Signal::Terminate, Signal::Kill]).await;
    }
    fs::remove_file(&file).ok();
}

fn pid_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pid"))
}

fn beside(name: &str) -> Result<PathBuf, Failure> {
    let program = env::current_exe()?.with_file_name(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(Failure::work(format!(
        "{} is missing: build it too (cargo build --bins)",
        program.display()
    )))
}

/// Variables that name another Kafka, another database or other ports than those of `pt dev`.
fn leads_elsewhere(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("KAFKA_")
        || name.starts_with("DB_")
        || name.starts_with("PG")
        || ["ACG_CONFIG", "DATABASE_URL", "PUBLICPORT", "METRICSPORT"].contains(&&*name)
}

/// How a service is told where the database is.
pub(super) fn database_env(database: &Database) -> [(&'static str, String); 6] {
    [
        ("DB_HOST", database.host.clone()),
        ("DB_PORT", database.port.to_string()),
        ("DB_USER", database.user.clone()),
        ("DB_PASSWORD", database.password.clone()),
        ("DB_NAME", database.name.clone()),
        ("DB_SSLMODE", "disable".into()),
    ]
}

async fn probe(port: u16) -> Result<(), String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/ready")).await;
    let answer = answer.map_err(|_| "nobody answers".to_owned())?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(answer.text().await.unwrap_or_default())
}
