//! Which payloads go, and in what steps.

use std::time::Duration;

use payload_tracker::upkeep::{Event, LONGEST, MOST_ROWS, Table};
use sea_orm::sqlx::query;

use super::fixture::{Site, deleted, kept, midnight};

/// Rows and time of each step that told of this table.
fn steps(events: &[Event], table: Table) -> Vec<(u64, Duration)> {
    let of_table = |event: &Event| match event {
        Event::Step { deleted, held } if deleted.table == table => {
            let dependents = deleted.dependents.map_or(0, |(_, rows)| rows);
            Some((deleted.rows + dependents, *held))
        }
        _ => None,
    };
    events.iter().filter_map(of_table).collect()
}

fn within_limits(events: &[Event], table: Table) {
    let steps = steps(events, table);
    assert!(!steps.is_empty());
    for (rows, held) in steps {
        assert!(rows <= MOST_ROWS as u64, "{rows} rows");
        assert!(held <= LONGEST, "{held:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_goes_with_its_last_day_or_where_that_is_unknown_with_its_last_status() {
    let site = Site::new().await;
    let kept = kept();
    site.partitions(0..12).await;
    let day = |ago: u64| format!("date_trunc('day', now(), 'UTC')::date - {ago}");
    for (name, created, last_day) in [
        ("kept-last-day", kept + 20, day(kept)),
        ("kept-still-used", 300, day(0)),
        ("gone-day-before", kept + 1, day(kept + 1)),
        ("gone-long-ago", 300, day(250)),
        ("kept-unknown-recent", kept, "NULL".into()),
        ("gone-unknown", kept + 1, "NULL".into()),
    ] {
        site.payload(name, created, &last_day).await;
    }
    let unknown = site.payload("kept-unknown-with-status", 30, "NULL").await;
    site.status(unknown, kept).await;
    let expired = site
        .payload("gone-unknown-with-expired-status", 30, "NULL")
        .await;
    site.status(expired, kept + 1).await;
    // The zero time of the Go tracker's language.
    site.payload("gone-zero", 1, "NULL").await;
    site.run("UPDATE payloads SET created_at = '0001-01-01Z' WHERE request_id = 'gone-zero'")
        .await;
    let events = site.done().await;
    let left = site.request_ids().await;
    assert!(left.iter().all(|name| name.starts_with("kept")), "{left:?}");
    assert_eq!(left.len(), 4);
    assert_eq!(deleted(&events, Table::Payloads), 5);
    site.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_stay_small_and_their_locks_short() {
    let site = Site::new().await;
    site.partitions([0, 9, 10]).await;
    for ago in [0, 9, 10] {
        site.payloads(ago, 8_000).await;
    }
    // More hosts for some.
    site.run(
        "INSERT INTO payload_ids SELECT 2, 'system-' || n, id
           FROM payloads CROSS JOIN generate_series(1, 7) AS n WHERE id % 10 = 0",
    )
    .await;
    let ids = site.count("payload_ids").await;
    let events = site.done().await;
    assert_eq!(deleted(&events, Table::Payloads), 16_000);
    assert_eq!(site.count("payloads").await, 8_000);
    let left = site.count("payload_ids").await;
    assert_eq!(deleted(&events, Table::PayloadIds) as i64, ids - left);
    within_limits(&events, Table::Payloads);
    site.is_consistent().await;
}

/// A job that fills in a table by hand gives all rows one time.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_one_instant_are_walked_to_the_last() {
    let site = Site::new().await;
    site.partitions([0]).await;
    query(
        "INSERT INTO payloads (request_id, created_at, last_day)
         SELECT n::text, $1, CASE WHEN n % 3 = 0 THEN current_date ELSE '2020-01-01' END
           FROM generate_series(1, 12000) AS n",
    )
    .bind(midnight(40))
    .execute(site.pool())
    .await
    .unwrap();
    let events = site.done().await;
    assert_eq!(deleted(&events, Table::Payloads), 8_000);
    assert_eq!(site.count("payloads").await, 4_000);
    within_limits(&events, Table::Payloads);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_more_hosts_than_a_step_deletes_leaves_none_behind() {
    let site = Site::new().await;
    for name in ["wide", "narrow"] {
        site.payload(name, 20, "'2020-01-01'").await;
    }
    site.run(
        "INSERT INTO payload_ids SELECT 1, 'host-' || n, id
           FROM payloads CROSS JOIN generate_series(1, 12345) AS n WHERE request_id = 'wide'",
    )
    .await;
    let events = site.done().await;
    assert_eq!(deleted(&events, Table::Payloads), 2);
    assert_eq!(deleted(&events, Table::PayloadIds), 12_345);
    within_limits(&events, Table::Payloads);
    within_limits(&events, Table::PayloadIds);
    site.is_consistent().await;
}

/// What a round that ended early left behind of such a payload.
#[tokio::test(flavor = "multi_thread")]
async fn host_ids_whose_payload_is_gone_already_go_with_the_next_round() {
    let site = Site::new().await;
    site.run(
        "INSERT INTO ownerless_ids VALUES (77);
         INSERT INTO payload_ids SELECT 1, 'host-' || n, 77 FROM generate_series(1, 100) AS n",
    )
    .await;
    site.done().await;
    assert_eq!(site.count("payload_ids").await, 0);
    site.is_consistent().await;
}

/// The server ends a step after 100 ms, and nothing of it is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_too_long_is_ended_and_tried_again_smaller() {
    let site = Site::new().await;
    site.partitions([9]).await;
    site.payloads(9, 1_000).await;
    site.run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END $$;
         CREATE TRIGGER slow BEFORE DELETE ON payloads FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await;
    let events = site.done().await;
    let slow = |event: &&Event| matches!(event, Event::Slow { .. });
    assert!(events.iter().filter(slow).count() > 0);
    assert_eq!(deleted(&events, Table::Payloads), 1_000);
    within_limits(&events, Table::Payloads);
    site.is_consistent().await;
}

/// Somebody else's lock is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_locked_is_passed_by_and_goes_later() {
    let site = Site::new().await;
    for name in ["free", "locked"] {
        site.payload(name, 20, "'2020-01-01'").await;
    }
    let mut holder = site.pool().begin().await.unwrap();
    query("SELECT FROM payloads WHERE request_id = 'locked' FOR NO KEY UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    site.done().await;
    assert_eq!(site.request_ids().await, ["locked"]);
    holder.rollback().await.unwrap();
    site.done().await;
    assert!(site.request_ids().await.is_empty());
}
