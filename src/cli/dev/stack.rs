//! The parts of `pt dev`, started from the database upwards and stopped from the demo downwards.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::children::{Plan, Service, database_env, end_orphan};
use super::output::say;
use super::ports;
use super::settings::Settings;
use crate::cli::Failure;
use crate::config::Database;
use crate::dev::broker::Broker;
use crate::dev::demo::{self, Demo};
use crate::dev::postgres::{Home, Options, PostgresError, Server};
use crate::store::migrate;
use crate::store::session::{self, Role};

/// As in production.
const PARTITIONS: u16 = 20;
/// The private cluster's name under its home, and its database's.
const CLUSTER: &str = "postgres";
const DATABASE: &str = "crc";
const SERVICES: [&str; 2] = ["pt-consumer", "pt-api"];

// Together less than the 20 s that Ctrl-C may take.
const DEMO_ENDS_WITHIN: Duration = Duration::from_secs(1);
const CONSUMER_ENDS_WITHIN: Duration = Duration::from_secs(10);
const API_ENDS_WITHIN: Duration = Duration::from_secs(3);
const POSTGRES_ENDS_WITHIN: Duration = Duration::from_secs(4);

const LOCKED_WITHIN: Duration = Duration::from_secs(2);
const VISIBLE_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// What runs. Every part is kept from the moment it starts, so that an early end stops it in order too.
pub(super) struct Stack {
    folder: PathBuf,
    logs: PathBuf,
    home: Option<Home>,
    postgres: Option<Server>,
    broker: Option<Broker>,
    api: Option<Service>,
    consumer: Option<Service>,
    demo: Option<JoinHandle<()>>,
    stop_demo: CancellationToken,
    /// Held as long as this process lives: two stacks in one folder would end each other's processes.
    _lock: File,
}

impl Stack {
    /// Takes the folder for this process.
    pub(super) async fn new(settings: &Settings) -> Result<Self, Failure> {
        let at = |error| Failure::work(format!("{}: {error}", settings.folder.display()));
        let logs = settings.folder.join("logs");
        fs::create_dir_all(&logs).map_err(at)?;
        let folder = fs::canonicalize(&settings.folder).map_err(at)?;
        let lock = File::create(folder.join("lock")).map_err(at)?;
        if !locked(&lock).await.map_err(at)? {
            return Err(Failure::work(format!(
                "another `pt dev` runs on {}: stop it, or set PT_DEV_DIR to another folder",
                folder.display()
            )));
        }
        Ok(Self {
            logs: folder.join("logs"),
            folder,
            home: None,
            postgres: None,
            broker: None,
            api: None,
            consumer: None,
            demo: None,
            stop_demo: CancellationToken::new(),
            _lock: lock,
        })
    }

    /// Starts every part, each when the one below it answers.
    pub(super) async fn start(&mut self, settings: &Settings) -> Result<Demo, Failure> {
        for service in SERVICES {
            end_orphan(&self.logs, service).await;
        }
        ports::check(settings.ports())?;
        say("starting PostgreSQL");
        let database = self.start_postgres(settings).await?;
        let db = session::connect(&database, Role::Migrate);
        let broker = Broker::start(settings.kafka.number)?;
        broker.create_topic(&settings.topic, PARTITIONS)?;
        let bootstrap = broker.bootstrap();
        self.broker = Some(broker);
        say("migrating");
        migrate::up(&db).await?;
        forget_offsets(&db, &settings.topic).await?;
        db.close().await?;
        say("starting consumer and API");
        self.start_services(settings, &database, &bootstrap).await?;
        let (demo, playing) =
            demo::start(&bootstrap, &settings.topic, self.stop_demo.clone()).await?;
        self.demo = Some(playing);
        for id in [&demo.succeeded, &demo.failed, &demo.stuck] {
            visible(settings.api.number, id).await?;
        }
        Ok(demo)
    }

    /// Waits until a part ends by itself, and tells which.
    pub(super) async fn death(&mut self) -> String {
        loop {
            let services = [&mut self.consumer, &mut self.api];
            if let Some(death) = services.into_iter().flatten().find_map(Service::death) {
                return death;
            }
            if let Some(postgres) = &mut self.postgres
                && postgres.ended()
            {
                let log = postgres.log().display();
                return format!("PostgreSQL ended by itself; its log is {log}");
            }
            sleep(LOOK).await;
        }
    }

    /// Stops what runs: demo, consumer, API, broker, PostgreSQL.
    pub(super) async fn stop(mut self) {
        self.stop_demo.cancel();
        if let Some(demo) = self.demo.take() {
            timeout(DEMO_ENDS_WITHIN, demo).await.ok();
        }
        if let Some(consumer) = self.consumer.take() {
            consumer.stop(CONSUMER_ENDS_WITHIN).await;
        }
        if let Some(api) = self.api.take() {
            api.stop(API_ENDS_WITHIN).await;
        }
        drop(self.broker.take());
        if let Some(postgres) = self.postgres.take() {
            postgres.stop(POSTGRES_ENDS_WITHIN).await;
        }
    }

    /// Where PostgreSQL is, for `psql`.
    pub(super) fn database_url(&self) -> Option<String> {
        let database = self.postgres.as_ref()?.database(DATABASE);
        Some(format!(
            "postgres://{}:{}@{}:{}/{}",
            database.user, database.password, database.host, database.port, database.name
        ))
    }

    /// Where PostgreSQL's data is, if not where everything else is.
    pub(super) fn database_folder(&self) -> Option<&Path> {
        let folder = self.home.as_ref()?.folder();
        (folder != self.folder).then_some(folder)
    }

    async fn start_postgres(&mut self, settings: &Settings) -> Result<Database, Failure> {
        let home = self.home.insert(Home::at(&self.folder)?);
        let options = Options {
            port: settings.postgres.map_or(0, |port| port.number),
            durable: true,
        };
        let server = Server::start(home, &settings.binaries, CLUSTER, options).await;
        let server = self.postgres.insert(server.map_err(|error| match error {
            PostgresError::Named { .. } => Failure::settings(error),
            _ => Failure::work(error),
        })?);
        make_database(&server.database("postgres")).await?;
        Ok(server.database(DATABASE))
    }

    async fn start_services(
        &mut self,
        settings: &Settings,
        database: &Database,
        bootstrap: &str,
    ) -> Result<(), Failure> {
        let plan = |name, metrics_port, own: Vec<(&'static str, String)>| Plan {
            name,
            metrics_port,
            envs: database_env(database).into_iter().chain(own).collect(),
            folder: &self.logs,
        };
        let kafka = vec![
            ("KAFKA_BOOTSTRAP_SERVERS", bootstrap.to_owned()),
            ("KAFKA_AUTO_OFFSET_RESET", "earliest".to_owned()),
        ];
        let mut public = vec![("PUBLICPORT", settings.api.number.to_string())];
        // There is no storage-broker on this machine, unless one is named.
        if std::env::var_os("STORAGEBROKERURL").is_none() {
            public.push(("REQUESTOR_IMPL", "mock".to_owned()));
        }
        let [consumer, api] = SERVICES;
        let consumer = Service::start(plan(consumer, settings.consumer_metrics.number, kafka))?;
        let api = Service::start(plan(api, settings.api_metrics.number, public))?;
        self.consumer.insert(consumer).ready().await?;
        self.api.insert(api).ready().await
    }
}

/// Whether the lock is ours. A process that was just killed holds it until the system has cleared it away.
async fn locked(lock: &File) -> io::Result<bool> {
    let deadline = Instant::now() + LOCKED_WITHIN;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOOK).await,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

async fn make_database(maintenance: &Database) -> Result<(), Failure> {
    let db = session::connect(maintenance, Role::Tool);
    let found = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT 1 FROM pg_database WHERE datname = $1",
        [DATABASE.into()],
    );
    if db.query_one_raw(found).await?.is_none() {
        db.execute_unprepared(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
    }
    Ok(db.close().await?)
}

/// The embedded broker begins every run with an empty log, so what was stored of the last one's is void.
async fn forget_offsets(db: &DatabaseConnection, topic: &str) -> Result<(), Failure> {
    let forget = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "DELETE FROM consumer_offsets WHERE topic = $1",
        [topic.into()],
    );
    db.execute_raw(forget).await?;
    Ok(())
}

/// Waits until the API answers for a payload, so that the printed lines work at once.
async fn visible(port: u16, request_id: &str) -> Result<(), Failure> {
    let url = format!("http://127.0.0.1:{port}/api/v1/payloads/{request_id}");
    let deadline = Instant::now() + VISIBLE_WITHIN;
    while !reqwest::get(&url)
        .await
        .is_ok_and(|answer| answer.status().is_success())
    {
        if Instant::now() >= deadline {
            return Err(Failure::work(format!(
                "{url} does not show the demo's payload after {} s",
                VISIBLE_WITHIN.as_secs()
            )));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_that_is_about_to_go_is_waited_for() {
        let path =
            std::env::temp_dir().join(format!("payload-tracker-lock-{}", std::process::id()));
        let open = || File::create(&path).unwrap();
        let (ours, theirs) = (open(), open());
        theirs.lock().unwrap();
        let (locked, ()) = tokio::join!(locked(&ours), async { drop(theirs) });
        assert!(locked.unwrap());
        fs::remove_file(&path).unwrap();
    }
}
