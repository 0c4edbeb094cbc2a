use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::{Home, PostgresError, Source, USER};
use crate::config::{Database, SslMode};
use crate::dev::child::{Child, Signal};
use crate::dev::orphan::{self, Found};

/// Crash recovery of a big cluster takes a while.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A shutdown that does not wait for sessions and writes no checkpoint.
const QUIT_WITHIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of the server's log shown when it does not come up.
const TAIL: usize = 2_000;

/// How a server runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// Whether commits survive a crash of the machine. Tests need not wait for the disk.
    pub durable: bool,
}

/// A running server. Dropping it, or the end of this process however it ends, shuts it down.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    password: String,
    log: PathBuf,
}

impl Server {
    /// Starts the server of the cluster `name` under `home`, and makes the cluster if there is none.
    /// A server that a killed process left on it is ended first.
    ///
    /// # Errors
    /// No binaries are to be had, or the server does not become ready; nothing is left running then.
    pub async fn start(
        home: &Home,
        source: &Source,
        name: &str,
        options: Options,
    ) -> Result<Self, PostgresError> {
        let cluster = Cluster::at(home.folder().join(name));
        let bin = source.bin(home, cluster.major()).await?;
        if cluster.major().is_none() {
            cluster.init(home, &bin, options.durable)?;
        }
        end_orphan(&cluster.data()).await?;
        let port = match options.port {
            0 => free_port().map_err(PostgresError::folder(home.folder()))?,
            port => port,
        };
        let child = spawn(home, &cluster, &bin, Options { port, ..options })?;
        let mut server = Self {
            child,
            port,
            password: cluster.password()?,
            log: cluster.log(),
        };
        server.ready(&cluster).await?;
        Ok(server)
    }

    /// Where the server is, for a program that is to use one of its databases.
    pub fn database(&self, name: &str) -> Database {
        Database {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: self.port,
            user: USER.into(),
            password: self.password.clone(),
            name: name.into(),
            ssl_mode: SslMode::Disable,
            ca: None,
            max_connections: 10,
            statement_timeout: Duration::from_secs(30),
        }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its log goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether the server has ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends every session and the server. After `limit` it no longer waits for the checkpoint that makes the
    /// next start quick.
    pub async fn stop(mut self, limit: Duration) {
        self.child.signal(Signal::Interrupt);
        if matches!(self.child.wait(limit).await, Ok(None)) {
            self.child.end(Signal::Quit, QUIT_WITHIN).await.ok();
        }
    }

    /// Ends the server as a crash of it does: it writes nothing more, and the next start recovers.
    pub async fn crash(mut self) {
        self.child.end(Signal::Quit, QUIT_WITHIN).await.ok();
    }

    /// PostgreSQL writes its state into the eighth line of its lock file, for `pg_ctl` to wait by.
    async fn ready(&mut self, cluster: &Cluster) -> Result<(), PostgresError> {
        let deadline = Instant::now() + READY_WITHIN;
        let lock = cluster.data().join("postmaster.pid");
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(PostgresError::Died {
                    status,
                    log: cluster.log(),
                    tail: tail(&cluster.log()),
                });
            }
            if self.says_ready(&lock) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(PostgresError::Slow {
                    seconds: READY_WITHIN.as_secs(),
                    log: cluster.log(),
                });
            }
            sleep(LOOK).await;
        }
    }

    fn says_ready(&self, lock: &Path) -> bool {
        let text = fs::read_to_string(lock).unwrap_or_default();
        let mut lines = text.lines();
        lines.next() == Some(&self.child.id().to_string())
            && lines.nth(6).map(str::trim) == Some("ready")
    }
}

fn spawn(
    home: &Home,
    cluster: &Cluster,
    bin: &Path,
    options: Options,
) -> Result<Child, PostgresError> {
    let program = bin.join("postgres");
    let path = cluster.log();
    let log = File::create(&path).map_err(PostgresError::folder(&path))?;
    let mut command = home.command(&program);
    command
        .arg("-D")
        .arg(cluster.data())
        .args(["-p", &options.port.to_string()])
        // No socket file: its path may not be longer than 100 bytes or so, and none is needed.
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "unix_socket_directories="])
        .args(["-c", "timezone=UTC", "-c", "log_timezone=UTC"])
        .args(["-c", "max_connections=300"])
        .stdout(Stdio::null())
        .stderr(log);
    if !options.durable {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    Child::spawn(command, Signal::Interrupt).map_err(|source| PostgresError::Spawn {
        program: program.display().to_string(),
        source,
    })
}

/// Ends the server that still runs on this data folder, if any.
async fn end_orphan(data: &Path) -> Result<(), PostgresError> {
    let lock = data.join("postmaster.pid");
    let text = fs::read_to_string(&lock).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|line| line.parse().ok()) else {
        return Ok(());
    };
    let signals = [Signal::Interrupt, Signal::Quit, Signal::Kill];
    match orphan::end(pid, &data.to_string_lossy(), &signals).await {
        Found::Ended | Found::Nobody => Ok(()),
        // PostgreSQL would take the stranger for a server on this data and refuse to start.
        Found::Stranger => fs::remove_file(&lock).map_err(PostgresError::folder(&lock)),
    }
}

/// The number is free when asked; whoever takes it before the server does makes the start fail.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let start = bytes.len().saturating_sub(TAIL);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}
