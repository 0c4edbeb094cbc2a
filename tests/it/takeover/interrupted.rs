//! Both ways, cut short anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use payload_tracker::store::migrate::{self, DropRejects, MigrateError, Progress};
use sea_orm::sqlx::{AssertSqlSafe, PgPool, query, query_scalar};
use tokio::sync::{Notify, mpsc};

use super::{down, host_ids, session, small, up};
use crate::go_tracker;
use crate::support::TestDatabase;

/// Runs `up` or `down` until its `line`th line of progress and drops it there, in the middle of a
/// statement. True if it ended before that.
async fn ended_before(database: &TestDatabase, way_up: bool, line: u32) -> bool {
    let reached = Arc::new(Notify::new());
    let progress = {
        let (reached, lines) = (reached.clone(), AtomicU32::new(0));
        Progress::new(move |_| {
            if lines.fetch_add(1, Ordering::Relaxed) + 1 == line {
                reached.notify_one();
            }
        })
    };
    tokio::select! {
        done = run(database, way_up, progress) => { done.unwrap(); true }
        () = reached.notified() => false,
    }
}

async fn run(
    database: &TestDatabase,
    way_up: bool,
    progress: Progress,
) -> Result<Vec<String>, MigrateError> {
    let db = session(database);
    if way_up {
        migrate::up_telling(&db, progress).await
    } else {
        migrate::down_telling(&db, DropRejects::No, progress).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_interrupted_at_any_step_goes_on_from_there() {
    let (database, expected) = (small().await, Expected::of(&small().await).await);
    let mut line = 1;
    while !ended_before(&database, true, line).await {
        up(&database).await;
        expected.assert(&database, true).await;
        down(&database).await;
        line += 1;
    }
    assert!(line > 15, "a line a step and one an index built: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_down_interrupted_at_any_step_goes_on_from_there() {
    let (database, expected) = (small().await, Expected::of(&small().await).await);
    up(&database).await;
    let mut line = 1;
    while !ended_before(&database, false, line).await {
        down(&database).await;
        expected.assert(&database, false).await;
        up(&database).await;
        line += 1;
    }
    assert!(line > 30, "a line a step and one an index built: {line}");
}

/// The server ends the migration's session at each of its first lines of progress.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_session_costs_nothing_but_another_call() {
    let (database, expected) = (small().await, Expected::of(&small().await).await);
    for way_up in [true, false, true] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let pool = database.pool.clone();
        let killer = tokio::spawn(async move {
            let mut killed = 0;
            while told.recv().await.is_some() {
                killed += i32::from(killed < 50 && terminate(&pool).await);
            }
            killed
        });
        let progress = Progress::new(move |_| tell.send(()).unwrap());
        let mut attempts = 0;
        while let Err(error) = run(&database, way_up, progress.clone()).await {
            attempts += 1;
            assert!(attempts < 100, "{error}");
        }
        drop(progress);
        // How many of them meet a session, and where, is the machine's affair.
        assert!(killer.await.unwrap() > 0);
        expected.assert(&database, way_up).await;
    }
}

async fn terminate(pool: &PgPool) -> bool {
    let terminated: Vec<bool> = query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'pt-migrate'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    !terminated.is_empty()
}

/// What an undisturbed migration makes of the same database.
struct Expected {
    go_tracker: Vec<String>,
    ours: Vec<String>,
    rows: Vec<String>,
    host_ids: Vec<(i64, i16, String)>,
}

impl Expected {
    async fn of(database: &TestDatabase) -> Self {
        let go_tracker = go_tracker::schema(&database.pool).await;
        up(database).await;
        Self {
            go_tracker,
            ours: go_tracker::schema(&database.pool).await,
            rows: go_tracker::rows_fingerprint(&database.pool).await,
            host_ids: host_ids(&database.pool).await,
        }
    }

    async fn assert(&self, database: &TestDatabase, is_up: bool) {
        let schema = if is_up { &self.ours } else { &self.go_tracker };
        assert_eq!(&go_tracker::schema(&database.pool).await, schema);
        assert_eq!(
            go_tracker::rows_fingerprint(&database.pool).await,
            self.rows
        );
        if is_up {
            assert_eq!(host_ids(&database.pool).await, self.host_ids);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_migration_can_turn_round() {
    let (database, expected) = (small().await, Expected::of(&small().await).await);
    for line in (2..40).step_by(4) {
        ended_before(&database, true, line).await;
        down(&database).await;
        expected.assert(&database, false).await;
    }
    up(&database).await;
    for line in (2..60).step_by(6) {
        ended_before(&database, false, line).await;
        up(&database).await;
        expected.assert(&database, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_built_but_not_attached_does_not_stay() {
    let (database, expected) = (small().await, Expected::of(&small().await).await);
    up(&database).await;
    // A way up, and a way down, that ended right after building an index of a partition.
    for (built, way_up) in [
        ("(source_id, date) WHERE source_id IS NOT NULL", false),
        ("USING brin (created_at)", false),
        ("(service_id, created_at)", true),
    ] {
        for statement in [
            "DELETE FROM seaql_migrations WHERE version = '0008_indexes'",
            &format!("CREATE INDEX ON partition_20260305_20260306 {built}"),
        ] {
            query(AssertSqlSafe(statement.to_owned()))
                .execute(&database.pool)
                .await
                .unwrap();
        }
        if way_up {
            up(&database).await;
            expected.assert(&database, true).await;
        } else {
            down(&database).await;
            expected.assert(&database, false).await;
            up(&database).await;
        }
    }
}
