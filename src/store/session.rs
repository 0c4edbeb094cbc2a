//! How this program's sessions with PostgreSQL are set up.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::future::try_join_all;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sea_orm::sqlx::{Connection, Executor, PgConnection};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector, sqlx};
use tokio::time::timeout;

use super::authority;
use super::lent::lend;
use crate::config::{Authority, Database, SslMode};

/// Who opens the session; it decides what a session may do and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Lists of `pt-api`. Read-only; a statement ends after 2 s, since no answer is worth waiting longer
    /// for. Each is planned for the values it has: what is best for a rare service is not for a busy one.
    Api,
    /// The same for what is found by an id, which is planned once: over 90 partitions a plan takes longer
    /// than what it is for.
    Lookup,
    /// The writer of `pt-consumer`.
    Consumer,
    /// `pt migrate`: building an index takes as long as it takes.
    Migrate,
    /// The upkeep of `pt-consumer` and `pt retention --now`.
    Upkeep,
    /// Every other command of `pt`.
    Tool,
}

impl Role {
    fn application_name(self) -> &'static str {
        match self {
            Self::Api | Self::Lookup => "pt-api",
            Self::Consumer => "pt-consumer",
            Self::Migrate => "pt-migrate",
            Self::Upkeep => "pt-upkeep",
            Self::Tool => "pt",
        }
    }

    /// `statement_timeout`, `lock_timeout` and `idle_in_transaction_session_timeout`; zero is off.
    fn timeouts(self, database: &Database) -> [(&'static str, String); 3] {
        let of_consumer = format!("{}ms", database.statement_timeout.as_millis());
        let (statement, lock, idle) = match self {
            Self::Api | Self::Lookup => ("2s", "1s", "5s"),
            // A batch takes a fraction of a second. Whatever holds it up longer is a fault that is
            // better retried than waited for, and a consumer that vanished gives its rows back soon.
            Self::Consumer => (of_consumer.as_str(), "10s", "10s"),
            Self::Migrate => ("0", "5s", "60s"),
            // While one of its statements waits for a table, others may wait behind it.
            Self::Upkeep => (of_consumer.as_str(), "2s", "10s"),
            Self::Tool => ("60s", "5s", "30s"),
        };
        [
            ("statement_timeout", statement.to_owned()),
            ("lock_timeout", lock.to_owned()),
            ("idle_in_transaction_session_timeout", idle.to_owned()),
        ]
    }

    fn specific(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Api => &[
                ("default_transaction_read_only", "on"),
                ("plan_cache_mode", "force_custom_plan"),
                // Every question has an index for it. Of a small partition the planner would rather read
                // all rows: 90 times that costs tens of milliseconds.
                ("enable_seqscan", "off"),
                // What is asked for is of the last days, and in memory. Else a walk back through the dates
                // looks cheaper than the index on what is looked for, and is long for a service that fell
                // silent.
                ("random_page_cost", "1.1"),
                // Many ask at once: what workers spare one answer the others wait longer.
                ("max_parallel_workers_per_gather", "0"),
            ],
            Self::Lookup => &[
                ("default_transaction_read_only", "on"),
                ("plan_cache_mode", "force_generic_plan"),
                // Nor any index but that of what is looked for: a plan that was made while a partition
                // was empty outlives that by minutes.
                ("enable_seqscan", "off"),
                ("enable_bitmapscan", "off"),
                ("max_parallel_workers_per_gather", "0"),
            ],
            // A statement prepared while a table was empty would keep its plan for ever.
            Self::Consumer => &[("plan_cache_mode", "force_custom_plan")],
            // Nothing of its work is missed if the server crashes before it is on disk: the next
            // round does it again. Its locks then do not wait for the disk either.
            Self::Upkeep => &[
                ("plan_cache_mode", "force_custom_plan"),
                ("synchronous_commit", "off"),
            ],
            Self::Migrate | Self::Tool => &[],
        }
    }

    /// Whether it is for the API, which tries a failed read again.
    fn is_of_requests(self) -> bool {
        matches!(self, Self::Api | Self::Lookup)
    }
}

/// On every session: days are UTC days, no peer that vanished keeps a row locked, and no
/// short statement pays for compiling itself.
const COMMON: [(&str, &str); 6] = [
    ("TimeZone", "UTC"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
    ("jit", "off"),
];

/// How long a caller waits for a free session or a new one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a session may take to say that it lives; with what it was at, as it comes back to its pool. A
/// third of [`ACQUIRE_TIMEOUT`]: another can be opened in its place.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// How long a session of its own may take to begin.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of one session of `role`.
pub fn options(database: &Database, role: Role) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&database.host)
        .port(database.port)
        .username(&database.user)
        .password(&database.password)
        .database(&database.name)
        .ssl_mode(ssl_mode(database.ssl_mode))
        .application_name(role.application_name())
        .options(COMMON)
        .options(role.timeouts(database))
        .options(role.specific().iter().copied());
    match &database.ca {
        Some(Authority::File(path)) => options.ssl_root_cert(path),
        Some(Authority::Pem(pem)) => options.ssl_root_cert_from_pem(pem.clone().into_bytes()),
        None => options,
    }
}

/// A pool of sessions of `role`. Nothing is connected yet: the first statement does that, so that
/// a process starts while its database is away.
pub fn connect(database: &Database, role: Role) -> DatabaseConnection {
    SqlxPostgresConnector::from_sqlx_postgres_pool(connect_warm(database, role, 0))
}

/// The same as a pool, of which up to `warm` sessions stay open while nobody asks ([`open_warm`] opens them), and
/// have read what there is to know of the partitions before they are lent.
pub fn connect_warm(database: &Database, role: Role, warm: u32) -> PgPool {
    let pool = PgPoolOptions::new();
    // A request would pay the round trip, and is tried again anyway.
    let pool = match role.is_of_requests() {
        true => pool,
        false => pool
            .before_acquire(|session, _| Box::pin(is_alive(session)))
            .after_release(|session, _| Box::pin(is_alive(session))),
    };
    pool.max_connections(database.max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // It would wait for as long as that takes, so that no time is left for another session.
        .test_before_acquire(false)
        // While a server is out of reach sqlx tries for minutes to open these, which takes their places:
        // one is left for whoever asks.
        .min_connections(warm.min(database.max_connections.saturating_sub(1)))
        .after_connect(move |session, _| {
            Box::pin(async move {
                if warm > 0 {
                    meet_partitions(session).await;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options(database, role))
}

/// Whether a pool may lend the session, or have it back.
async fn is_alive(session: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let silent = |_| sqlx::Error::Io(ErrorKind::TimedOut.into());
    timeout(ALIVE_WITHIN, session.ping())
        .await
        .map_err(silent)??;
    Ok(true)
}

/// Opens the sessions that are kept open while nobody asks, unless they are open already.
///
/// # Errors
///
/// The server did not answer, or refused.
pub async fn open_warm(pool: &PgPool) -> Result<(), sqlx::Error> {
    let open = (0..pool.options().get_min_connections()).map(|_| lend(pool));
    try_join_all(open).await.map(drop)
}

/// Lets the session read what it has to know of every partition before it can plan: 60 to 100 ms for 90,
/// which no request should wait for. Without tables there is nothing to know yet.
async fn meet_partitions(session: &mut PgConnection) {
    let first =
        "EXPLAIN SELECT FROM payload_statuses WHERE payload_id = 0 ORDER BY date DESC LIMIT 1";
    if let Err(error) = session.execute(first).await {
        tracing::debug!(%error, "a session begins cold");
    }
}

/// One session outside any pool, and with it whatever belongs to a session.
///
/// # Errors
///
/// The server did not answer within 10 s, or refused.
pub async fn open(database: &Database, role: Role) -> Result<PgConnection, sqlx::Error> {
    let session = async {
        let narrowed = authority::narrowed(database).await?;
        PgConnection::connect_with(&options(&narrowed, role)).await
    };
    timeout(CONNECT_TIMEOUT, session)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))
}

/// Tells the pool's sessions by which certificate of a bundle the server is known. To be called,
/// until it succeeds, before the first session; without a bundle it does nothing.
///
/// # Errors
///
/// The server did not answer, or the bundle is not PEM.
pub async fn choose_authority(
    pool: &PgPool,
    database: &Database,
    role: Role,
) -> Result<(), sqlx::Error> {
    let narrowed = authority::narrowed(database).await?;
    if narrowed.ca != database.ca {
        pool.set_connect_options(options(&narrowed, role));
    }
    Ok(())
}

fn ssl_mode(mode: SslMode) -> PgSslMode {
    match mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    }
}
