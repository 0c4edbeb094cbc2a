//! A program that is measured: the real one, as a process of its own.

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use url::Url;

use super::database::Database;
use super::process::Usage;
use crate::cli::Failure;

const LOOK: Duration = Duration::from_millis(50);
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running pt-consumer or pt-api. It ends with this value.
pub(super) struct Service {
    name: &'static str,
    child: Child,
    port: u16,
}

impl Service {
    /// Starts the program that lies beside this one, with all settings of the environment but
    /// `envs`, the database's name and the ports. What it warns of goes to stderr.
    ///
    /// # Errors
    ///
    /// There is no such program.
    pub(super) fn start<'a>(
        name: &'static str,
        database: &Database,
        envs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Failure> {
        let program = env::current_exe()?.with_file_name(name);
        let port = free_port()?;
        let mut command = Command::new(&program);
        command
            .envs([database_env(&database.config.name)?])
            .env("METRICSPORT", port.to_string())
            .env("METRICSPATH", "/metrics")
            .env("LOGLEVEL", "warn")
            .envs(envs)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .kill_on_drop(true);
        let child = command
            .spawn()
            .map_err(|error| Failure::work(format!("starting {}: {error}", program.display())))?;
        Ok(Self { name, child, port })
    }

    /// Waits until it can do its work: a consumer has its partitions then.
    ///
    /// # Errors
    ///
    /// It ended, or did not become ready.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            self.must_run()?;
            let problem = match self.get("/ready").await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => answer.text().await?,
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                let within = READY_WITHIN.as_secs();
                return Err(Failure::work(format!(
                    "{} is not ready after {within} s: {problem}",
                    self.name
                )));
            }
            sleep(LOOK).await;
        }
    }

    /// # Errors
    ///
    /// It ended by itself; its last words are on stderr.
    pub(super) fn must_run(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::work(format!("{} ended: {status}", self.name))),
        }
    }

    /// What it used so far; zero where the system does not tell.
    pub(super) fn usage(&self) -> Usage {
        let usage = self.child.id().and_then(Usage::of);
        usage.unwrap_or_default()
    }

    /// Its metrics, as text.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub(super) async fn metrics(&self) -> Result<String, Failure> {
        Ok(self.get("/metrics").await?.text().await?)
    }

    /// Ends it at once: that loses nothing, and nothing of it is wanted any more.
    ///
    /// # Errors
    ///
    /// The system did not let it.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, reqwest::Error> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        client.get(url).send().await
    }
}

/// The variable that names the database, and what it has to say: all else about it stays.
fn database_env(name: &str) -> Result<(&'static str, String), Failure> {
    let url = env::var("DATABASE_URL").unwrap_or_default();
    if url.trim().is_empty() {
        return Ok(("DB_NAME", name.to_owned()));
    }
    let mut url = Url::parse(&url)?;
    url.set_path(name);
    Ok(("DATABASE_URL", url.into()))
}

/// A port nobody listens on at this moment.
pub(super) fn free_port() -> Result<u16, Failure> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket.local_addr()?.port())
}
