//! The functions that jobs call: days are UTC days, whatever the session's time zone.

use payload_tracker::status::canonical_host_id;
use sea_orm::sqlx::{AssertSqlSafe, Connection, PgPool, query_as, query_scalar, raw_sql};

use crate::go_tracker;
use crate::support::{self, TestDatabase};

/// Names and bounds of all partitions, bounds in UTC.
async fn partitions(pool: &PgPool) -> Vec<(String, String, String)> {
    query_as(
        "SELECT partition::text, to_char(lower AT TIME ZONE 'UTC', 'MM-DD HH24:MI'),
                to_char(upper AT TIME ZONE 'UTC', 'MM-DD HH24:MI')
         FROM status_partitions() ORDER BY lower",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

fn listed(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |(name, lower, upper): &(&str, &str, &str)| {
        ((*name).to_owned(), (*lower).to_owned(), (*upper).to_owned())
    };
    expected.iter().map(own).collect()
}

/// Runs `sql` in a session of its own, in `zone` and an unusual date style.
async fn in_zone(database: &TestDatabase, zone: &str, sql: &str) {
    let mut session = support::connect(&database.config()).await.unwrap();
    let sql = format!("SET TimeZone = '{zone}'; SET DateStyle = 'SQL, DMY'; {sql}");
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut session)
        .await
        .unwrap();
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_a_utc_day_in_every_zone() {
    for zone in [
        "UTC",
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Auckland",
    ] {
        let database = support::database().await;
        let call = "SELECT create_partition('2026-03-05 00:00Z', '2026-03-06 00:00Z')";
        in_zone(&database, zone, call).await;
        in_zone(&database, zone, call).await;
        assert_eq!(
            partitions(&database.pool).await,
            listed(&[("partition_20260305_20260306", "03-05 00:00", "03-06 00:00")]),
            "{zone}"
        );
    }
}

/// The job asks for its own day: every UTC day that this touches is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_another_zone_is_covered_by_utc_days() {
    let database = support::database().await;
    let call = "SELECT create_partition('2026-03-05'::date, '2026-03-05'::date + interval '1 day')";
    in_zone(
        &database,
        "America/New_York",
        &call.replace("2026-03-05", "05/03/2026"),
    )
    .await;
    assert_eq!(
        partitions(&database.pool).await,
        listed(&[
            ("partition_20260305_20260306", "03-05 00:00", "03-06 00:00"),
            ("partition_20260306_20260307", "03-06 00:00", "03-07 00:00"),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_no_partition_covers_is_made() {
    let database = go_tracker::with_rows("Asia/Tokyo", 0).await;
    payload_tracker::store::migrate::up(&payload_tracker::store::session::connect(
        &database.config(),
        payload_tracker::store::session::Role::Migrate,
    ))
    .await
    .unwrap();
    let of_the_job = partitions(&database.pool).await;
    assert_eq!(
        of_the_job[2],
        listed(&[("partition_20260307_20260308", "03-06 15:00", "03-07 15:00")])[0]
    );
    in_zone(
        &database,
        "UTC",
        "SELECT create_partition('07/03/2026', '09/03/2026')",
    )
    .await;
    let mut expected = of_the_job[..3].to_vec();
    // Its usual name is taken by the job's day, which began in the 6th.
    expected.extend(listed(&[
        (
            "partition_20260307_20260308_150000",
            "03-07 15:00",
            "03-08 00:00",
        ),
        ("partition_20260308_20260309", "03-08 00:00", "03-08 15:00"),
    ]));
    expected.extend_from_slice(&of_the_job[3..]);
    assert_eq!(partitions(&database.pool).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_once_make_a_day_once() {
    let database = support::database().await;
    let call = || {
        in_zone(
            &database,
            "UTC",
            "SELECT create_partition('05/03/2026', '15/03/2026')",
        )
    };
    tokio::join!(call(), call(), call(), call());
    assert_eq!(partitions(&database.pool).await.len(), 10);
}

/// Reading and writing other days goes on while a day is made.
#[tokio::test(flavor = "multi_thread")]
async fn making_a_day_waits_for_no_reader() {
    let database = support::database().await;
    in_zone(
        &database,
        "UTC",
        "SELECT create_partition('05/03/2026', '06/03/2026')",
    )
    .await;
    let mut reader = database.pool.begin().await.unwrap();
    let _: i64 = query_scalar("SELECT count(*) FROM payload_statuses")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    in_zone(
        &database,
        "UTC",
        "SET lock_timeout = '200ms'; SELECT create_partition('06/03/2026', '07/03/2026')",
    )
    .await;
    reader.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_in_the_range_is_dropped() {
    let database = support::database().await;
    in_zone(
        &database,
        "UTC",
        "SELECT create_partition('05/03/2026', '08/03/2026')",
    )
    .await;
    // Tokyo's 6th ends on the 6th at 15:00 UTC.
    let call = "SELECT drop_partition('06/03/2026'::date, '07/03/2026'::date)";
    in_zone(&database, "Asia/Tokyo", call).await;
    in_zone(&database, "Asia/Tokyo", call).await;
    let left = partitions(&database.pool).await;
    assert_eq!(
        left,
        listed(&[
            ("partition_20260306_20260307", "03-06 00:00", "03-07 00:00"),
            ("partition_20260307_20260308", "03-07 00:00", "03-08 00:00"),
        ])
    );
    in_zone(
        &database,
        "UTC",
        "SELECT drop_partition('06/03/2026', '07/03/2026')",
    )
    .await;
    assert_eq!(partitions(&database.pool).await, left[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_string_is_the_utc_day() {
    let database = support::database().await;
    for zone in ["America/New_York", "Asia/Tokyo"] {
        in_zone(
            &database,
            zone,
            "DO $$ BEGIN
                ASSERT get_date_string('2026-03-05 23:59:59Z') = '20260305';
                ASSERT get_date_string('2026-03-05 00:00:00Z') = '20260305';
            END $$",
        )
        .await;
    }
}

/// The database's canonical form of a host id is the program's.
#[tokio::test(flavor = "multi_thread")]
async fn host_ids_have_one_canonical_form() {
    let database = support::database().await;
    let ids = [
        "",
        " ",
        "Host-1",
        "5f2b9c1e-7d3a-4c8f-9b6e-0a1d2c3b4e5f",
        "5F2B9C1E7D3A4C8F9B6E0A1D2C3B4E5F",
        "5F2B9C1E-7D3A-4C8F-9B6E-0A1D2C3B4E5F",
        "5f2b-9c1e-7d3a-4c8f-9b6e-0a1d-2c3b-4e5f",
        "{5f2b9c1e-7d3a-4c8f-9b6e-0a1d2c3b4e5f}",
        " 5f2b9c1e-7d3a-4c8f-9b6e-0a1d2c3b4e5f",
        "5f2b9c1e-7d3a-4c8f-9b6e-0a1d2c3b4e5f\n",
        "5f2b9c1e-7d3a-4c8f-9b6e-0a1d2c3b4e5g",
        "00000000-0000-0000-0000-000000000000",
        "00000000000000000000000000000000",
    ];
    for id in ids {
        let found: Option<String> = query_scalar("SELECT host_id($1)")
            .bind(id)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert_eq!(found, canonical_host_id(id), "{id:?}");
    }
}
