use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use payload_tracker::dev::child::{Child, Signal};
use uuid::Uuid;

/// SIGTERM ends every program of ours within this.
const END_WITHIN: Duration = Duration::from_secs(10);

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// One of the real binaries as a process, killed at the end of the test. What it logged is printed when the
/// test fails.
pub struct Process {
    /// `PUBLICPORT`, a free one unless it was given.
    pub public_port: u16,
    /// `METRICSPORT`, a free one unless it was given.
    pub metrics_port: u16,
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a binary with no environment but this.
    pub fn spawn(name: &'static str, envs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::spawn_with(name, &[], envs)
    }

    /// The same, with arguments.
    pub fn spawn_with(
        name: &'static str,
        args: &[&str],
        envs: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut envs: Vec<(String, String)> = envs.into_iter().collect();
        let public_port = port(&mut envs, "PUBLICPORT");
        let metrics_port = port(&mut envs, "METRICSPORT");
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}.log", Uuid::new_v4().simple()));
        let file = File::create(&log).unwrap();
        let mut command = Command::new(binary(name));
        command
            .args(args)
            .env_clear()
            .envs(envs)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let child = Child::spawn(command, Signal::Kill).unwrap();
        Self {
            public_port,
            metrics_port,
            name,
            child,
            log,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output and standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as a crash does.
    pub async fn kill9(&mut self) {
        self.end(Signal::Kill).await;
    }

    /// Sends SIGTERM and waits.
    ///
    /// # Panics
    /// When it has not ended after 10 s.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.end(Signal::Terminate).await
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub async fn exited(&mut self, limit: Duration) -> ExitStatus {
        let status = self.child.wait(limit).await.unwrap();
        status.unwrap_or_else(|| panic!("{} still runs after {limit:?}", self.name))
    }

    /// How it ended by itself; none while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends a signal and does not wait.
    pub fn signal(&mut self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Status and body of a path on `METRICSPORT`; none while nobody answers.
    pub async fn probe(&self, path: &str) -> Option<(u16, String)> {
        get(self.metrics_port, path).await
    }

    /// Status and body of a path on `PUBLICPORT`; none while nobody answers.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.public_port, path).await
    }

    async fn end(&mut self, signal: Signal) -> ExitStatus {
        self.child.signal(signal);
        self.exited(END_WITHIN).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of {} ----\n{}----", self.name, self.log());
        }
        fs::remove_file(&self.log).ok();
    }
}

/// A port that nobody listens on, given to nobody else of this run. It lies below those that the
/// system gives to connections, so that none of these takes it before it is used.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 10_000;
    // Another run at the same time starts elsewhere.
    let run = (std::process::id() as u16).wrapping_mul(97);
    loop {
        let next = run.wrapping_add(NEXT_PORT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + next % COUNT;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}"))
        .await
        .ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

fn port(envs: &mut Vec<(String, String)>, variable: &str) -> u16 {
    if let Some((_, given)) = envs.iter().find(|(name, _)| name == variable) {
        return given.parse().unwrap();
    }
    let port = free_port();
    envs.push((variable.to_owned(), port.to_string()));
    port
}

fn binary(name: &str) -> &'static str {
    match name {
        "pt" => env!("CARGO_BIN_EXE_pt"),
        "pt-api" => env!("CARGO_BIN_EXE_pt-api"),
        "pt-consumer" => env!("CARGO_BIN_EXE_pt-consumer"),
        other => panic!("no binary {other}"),
    }
}
