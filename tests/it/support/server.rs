use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use payload_tracker::config::Database;
use payload_tracker::dev::postgres::{Home, Options, Server, Source};
use tokio::sync::OnceCell;

use super::free_port;
use super::sweeper::{Sweeper, sweep};

const STOP_WITHIN: Duration = Duration::from_secs(10);
/// The run's one server. It ends with the process.
static SHARED: OnceCell<OwnServer> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

pub async fn shared() -> &'static OwnServer {
    SHARED.get_or_init(own_server).await
}

/// A server of the test's own, which it may stop and start.
pub async fn own_server() -> OwnServer {
    let home = Home::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".dev")).unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test-{}-{number}", std::process::id());
    let sweeper = sweep(&home.folder().join(&name), "data/postmaster.pid");
    let mut own = OwnServer {
        home,
        name,
        // Nobody takes it while the server is stopped.
        port: free_port(),
        server: None,
        _sweeper: sweeper,
    };
    own.start().await;
    own
}

/// A private server with a cluster that is gone after the test.
pub struct OwnServer {
    home: Home,
    name: String,
    port: u16,
    server: Option<Server>,
    _sweeper: Sweeper,
}

impl OwnServer {
    /// Where one of its databases is.
    pub fn database(&self, name: &str) -> Database {
        let server = self.server.as_ref().expect("the server is stopped");
        server.database(name)
    }

    /// The cluster's folder.
    pub fn folder(&self) -> PathBuf {
        self.home.folder().join(&self.name)
    }

    /// Ends every session and the server, as an outage does.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("stopped already");
        server.stop(STOP_WITHIN).await;
    }

    /// Ends it as a crash does: what is committed is found again in its log.
    pub async fn crash(&mut self) {
        let server = self.server.take().expect("stopped already");
        server.crash().await;
    }

    /// Starts it anew with TLS offered on this certificate. Sessions in the clear stay possible.
    pub async fn restart_with_tls(&mut self, certificate: &str, key: &str) {
        self.put("server.crt", certificate);
        self.put("server.key", key);
        self.stop().await;
        let settings = self.folder().join("data/postgresql.auto.conf");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, format!("{text}ssl = on\n")).unwrap();
        self.start().await;
    }

    /// Writes a file in the data folder that only the server's account can read.
    fn put(&self, name: &str, content: &str) {
        let data = self.folder().join("data");
        let path = data.join(name);
        let owner = fs::metadata(&data).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// Starts it again on the same port and data.
    pub async fn start(&mut self) {
        let source = Source::from_process().unwrap();
        let options = Options {
            port: self.port,
            durable: false,
        };
        let server = Server::start(&self.home, &source, &self.name, options).await;
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        self.port = server.port();
        self.server = Some(server);
    }
}
