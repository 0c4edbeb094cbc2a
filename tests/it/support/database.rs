use std::sync::atomic::{AtomicU32, Ordering};

use payload_tracker::config::Database;
use payload_tracker::store::migrate;
use payload_tracker::store::session::{self, Role};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sea_orm::sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, query};
use tokio::sync::OnceCell;

use super::server::{OwnServer, shared};

const TEMPLATE: &str = "migrated";

/// Migrating takes longer than copying a migrated database.
static MIGRATED: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A migrated database of the test's own.
pub async fn database() -> TestDatabase {
    let server = shared().await;
    MIGRATED.get_or_init(|| make_template(server)).await;
    TestDatabase::create(server, TEMPLATE).await
}

/// A database of the test's own without any table.
pub async fn empty_database() -> TestDatabase {
    TestDatabase::create(shared().await, "template0").await
}

async fn make_template(server: &OwnServer) {
    execute(server, format!("CREATE DATABASE {TEMPLATE}")).await;
    migrate(&server.database(TEMPLATE)).await;
}

async fn migrate(database: &Database) {
    let db = session::connect(database, Role::Migrate);
    migrate::up(&db).await.unwrap();
    db.close().await.unwrap();
}

/// A database that only this test uses. It goes with the server.
pub struct TestDatabase {
    /// Sessions of a superuser.
    pub pool: PgPool,
    config: Database,
}

impl TestDatabase {
    /// A migrated database on a server of the test's own.
    pub async fn on(server: &OwnServer) -> Self {
        let database = Self::create(server, "template0").await;
        migrate(&database.config).await;
        database
    }

    async fn create(server: &OwnServer, template: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        execute(
            server,
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        let config = server.database(&name);
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .connect_lazy_with(options(&config));
        Self { pool, config }
    }

    /// What a program is told in order to find it.
    pub fn config(&self) -> Database {
        self.config.clone()
    }

    /// The same as `config`, as a program's environment.
    pub fn env(&self) -> Vec<(String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            own("DB_HOST", &self.config.host),
            own("DB_PORT", &self.config.port.to_string()),
            own("DB_USER", &self.config.user),
            own("DB_PASSWORD", &self.config.password),
            own("DB_NAME", &self.config.name),
            own("DB_SSLMODE", "disable"),
        ]
    }
}

/// One session, plainly set up.
pub async fn connect(config: &Database) -> sea_orm::sqlx::Result<PgConnection> {
    PgConnection::connect_with(&options(config)).await
}

fn options(config: &Database) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .username(&config.user)
        .password(&config.password)
        .database(&config.name)
        .ssl_mode(PgSslMode::Disable)
}

async fn execute(server: &OwnServer, sql: String) {
    let mut session = connect(&server.database("postgres")).await.unwrap();
    query(AssertSqlSafe(sql))
        .execute(&mut session)
        .await
        .unwrap();
    session.close().await.unwrap();
}
