//! The schema of a database of our own, and databases that are left alone.

use std::collections::BTreeSet;
use std::time::Duration;

use payload_tracker::store::migrate::{self, DropRejects, MigrateError, State};
use payload_tracker::store::session::{Role, connect};
use sea_orm::DatabaseConnection;
use sea_orm::sqlx::{AssertSqlSafe, query, query_as, query_scalar, raw_sql};
use tokio::time::timeout;

use crate::cli::tool::{Said, pt};
use crate::go_tracker;
use crate::support::{self, TestDatabase};

/// How many steps there are: each begins with its number.
fn steps() -> usize {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let numbers = folder.map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.trim_start_matches('m').get(..4).unwrap().to_owned()
    });
    numbers.collect::<BTreeSet<_>>().len()
}

fn session(database: &TestDatabase) -> DatabaseConnection {
    connect(&database.config(), Role::Migrate)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_goes_up_and_down_and_up() {
    let database = support::empty_database().await;
    let db = session(&database);
    assert_eq!(migrate::status(&db).await.unwrap(), State::Empty);
    assert!(migrate::pending(&db).await.unwrap());
    assert!(
        migrate::down(&db, DropRejects::No)
            .await
            .unwrap()
            .is_empty()
    );

    let applied = migrate::up(&db).await.unwrap();
    assert_eq!(applied[0], "0001_baseline");
    assert!(!migrate::pending(&db).await.unwrap());
    assert!(migrate::up(&db).await.unwrap().is_empty());
    let ours = go_tracker::schema(&database.pool).await;

    let mut undone = migrate::down(&db, DropRejects::No).await.unwrap();
    undone.reverse();
    assert_eq!(undone, applied);
    assert_eq!(migrate::status(&db).await.unwrap(), State::GoTracker);
    let record: bool = query_scalar("SELECT to_regclass('seaql_migrations') IS NOT NULL")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert!(!record);
    let theirs = go_tracker::empty().await;
    assert_eq!(
        go_tracker::schema(&database.pool).await,
        go_tracker::schema(&theirs.pool).await
    );

    migrate::up(&db).await.unwrap();
    assert_eq!(go_tracker::schema(&database.pool).await, ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_rows_survive_the_way_down_and_up() {
    let database = support::database().await;
    raw_sql(
        "INSERT INTO services (name) VALUES ('ingress');
         INSERT INTO statuses (name) VALUES ('received');
         INSERT INTO payloads (request_id, inventory_id, first_day, last_day)
         VALUES ('one', 'host-1', '2026-03-05', '2026-03-05');
         SELECT create_partition('2026-03-05', '2026-03-06');
         INSERT INTO payload_statuses (payload_id, service_id, status_id, date, origin_partition, origin_offset)
         VALUES (1, 1, 1, '2026-03-05 01:00+00', 3, 7), (404, 1, 1, '2026-03-05 02:00+00', 3, 8);
         INSERT INTO payload_ids VALUES (1, 'host-1', 1);
         INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset, stored)
         VALUES ('t', 3, 7, 9, 2)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let db = session(&database);
    migrate::down(&db, DropRejects::No).await.unwrap();
    migrate::up(&db).await.unwrap();

    let rows: Vec<(i64, Option<i32>, Option<String>)> = query_as(
        "SELECT payload_id, origin_partition, first_day::text
         FROM payload_statuses JOIN payloads ON payloads.id = payload_id",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(rows, [(1, None, None)]);
    let of: i64 = query_scalar("SELECT payload_id FROM payload_ids WHERE value = 'host-1'")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(of, 1);
    // The status of payload 404 had no payload: the foreign key would not have let it live.
    // Offsets are forgotten, so that the next start follows the group's.
    let left: (i64, i64) = query_as(
        "SELECT (SELECT count(*) FROM payload_statuses), (SELECT count(*) FROM consumer_offsets)",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(left, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_rejects_are_not_lost_without_a_word() {
    let database = support::database().await;
    query(
        "INSERT INTO rejects (topic, partition, \"offset\", reason, detail)
         SELECT 't', 0, n, 'malformed', 'not JSON' FROM generate_series(1, 3) AS n",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let before = go_tracker::schema(&database.pool).await;
    let db = session(&database);
    let refused = migrate::down(&db, DropRejects::No).await.unwrap_err();
    assert!(
        matches!(refused, MigrateError::RejectsStored { count: 3 }),
        "{refused}"
    );
    assert!(refused.to_string().contains("--drop-rejects"), "{refused}");
    assert_eq!(go_tracker::schema(&database.pool).await, before);
    migrate::down(&db, DropRejects::Yes).await.unwrap();
    assert_eq!(migrate::status(&db).await.unwrap(), State::GoTracker);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_the_work_once() {
    let database = go_tracker::with_rows("UTC", 1_000).await;
    let (one, other) = (session(&database), session(&database));
    let (one, other) = tokio::join!(migrate::up(&one), migrate::up(&other));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_empty() != other.is_empty(), "{one:?} {other:?}");
}

/// Each is told what is wrong, and nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn databases_that_cannot_be_taken_over_are_left_alone() {
    let cases = [
        (
            "UPDATE schema_migrations SET version = 2",
            "version 2, dirty false",
        ),
        (
            "UPDATE schema_migrations SET dirty = true",
            "version 1, dirty true",
        ),
        ("DELETE FROM schema_migrations", "no row"),
        ("DROP TABLE schema_migrations", "there is no such table"),
        (
            "ALTER TABLE payloads DROP COLUMN org_id",
            "payloads.org_id is missing",
        ),
        (
            "ALTER TABLE services ALTER COLUMN name TYPE text",
            "services.name is text, not character varying",
        ),
        ("DROP TABLE sources CASCADE", "table sources is missing"),
        ("CREATE TABLE rejects (id bigint)", "table rejects is there"),
        (
            "CREATE TABLE seaql_migrations (version varchar, applied_at bigint);
             INSERT INTO seaql_migrations VALUES ('m2020_other', 0)",
            "m2020_other is applied but not known",
        ),
        (
            "DROP TABLE payload_statuses;
             CREATE TABLE payload_statuses (id bigint, payload_id bigint, service_id integer,
                 source_id integer, status_id integer, status_msg varchar, date timestamptz,
                 created_at timestamptz)",
            "partitioned by nothing",
        ),
    ];
    for (change, told) in cases {
        let database = go_tracker::empty().await;
        raw_sql(AssertSqlSafe(change))
            .execute(&database.pool)
            .await
            .unwrap();
        let before = go_tracker::schema(&database.pool).await;
        let error = migrate::up(&session(&database))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(told), "{change}: {error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(go_tracker::schema(&database.pool).await, before, "{change}");
    }
}

/// A long transaction of somebody else is waited for, and nobody waits long behind us meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_table_is_asked_for_again() {
    let database = go_tracker::with_rows("UTC", 10).await;
    let mut holder = database.pool.begin().await.unwrap();
    query("SELECT count(*) FROM payload_statuses")
        .execute(&mut *holder)
        .await
        .unwrap();
    let db = session(&database);
    let migration = tokio::spawn(async move { migrate::up(&db).await });
    let refused: String = support::eventually(
        "the migration to wait for the table",
        Duration::from_secs(20),
        || async {
            query_scalar(
                "SELECT query FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'pt-migrate'
                   AND wait_event_type = 'Lock'",
            )
            .fetch_optional(&database.pool)
            .await
            .unwrap()
        },
    )
    .await;
    assert!(
        refused.contains("ALTER TABLE payload_statuses"),
        "{refused}"
    );
    let reader = query_scalar("SELECT count(*) FROM payload_statuses").fetch_one(&database.pool);
    let seen: i64 = timeout(Duration::from_secs(4), reader)
        .await
        .expect("a reader waits behind the migration")
        .unwrap();
    assert_eq!(seen, 30);
    holder.rollback().await.unwrap();
    assert_eq!(migration.await.unwrap().unwrap().len(), steps());
}

/// `pt migrate` on this database.
async fn pt_migrate(database: &TestDatabase, arguments: &[&str]) -> Said {
    let arguments = [&["migrate"], arguments].concat();
    pt(&arguments, database.env()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_what_it_did() {
    let database = support::empty_database().await;
    let said = pt_migrate(&database, &["status"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("None of our tables"), "{said:?}");
    let said = pt_migrate(&database, &["up"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let applied = format!("{} migrations applied\n", steps());
    assert!(said.stdout.ends_with(&applied), "{said:?}");
    let said = pt_migrate(&database, &["status"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.stdout.matches("applied  ").count(),
        steps(),
        "{said:?}"
    );

    let reject = "INSERT INTO rejects (topic, partition, \"offset\", reason, detail)
                  VALUES ('t', 0, 0, 'malformed', 'not JSON')";
    query(reject).execute(&database.pool).await.unwrap();
    let said = pt_migrate(&database, &["down"]).await;
    assert_eq!((said.code, said.stderr.lines().count()), (1, 1), "{said:?}");
    assert!(said.stderr.contains("rejects are stored (1)"), "{said:?}");
    let said = pt_migrate(&database, &["down", "--drop-rejects"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let undone = format!("{} migrations undone\n", steps());
    assert!(said.stdout.ends_with(&undone), "{said:?}");
    let said = pt_migrate(&database, &["status"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("Go tracker"), "{said:?}");
    assert_eq!(pt_migrate(&database, &["sideways"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_is_told_in_its_own_words() {
    let database = support::database().await;
    let name = database.config().name;
    let role = format!("CREATE ROLE only_{name} LOGIN PASSWORD 'secret'");
    raw_sql(AssertSqlSafe(role))
        .execute(&database.pool)
        .await
        .unwrap();
    let credentials = |password: &str| {
        let own = |name: &str, value: String| (name.to_owned(), value);
        [
            own("DB_USER", format!("only_{name}")),
            own("DB_PASSWORD", password.to_owned()),
        ]
    };
    let with = |password| database.env().into_iter().chain(credentials(password));
    let said = pt(&["migrate", "up"], with("secret")).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(
        said.stderr,
        "pt: permission denied for table seaql_migrations\n"
    );
    let said = pt(&["migrate", "status"], with("wrong")).await;
    assert_eq!(said.code, 1, "{said:?}");
    let end = format!("password authentication failed for user \"only_{name}\"\n");
    assert!(said.stderr.ends_with(&end), "{said:?}");
}
