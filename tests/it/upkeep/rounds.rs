//! What a round makes and drops.

use payload_tracker::upkeep::{Event, Outcome, Task, UpkeepError};
use sea_orm::sqlx::{Connection, query_scalar};

use super::fixture::{Site, kept};
use crate::support;

fn dropped(events: &[Event]) -> usize {
    let is_drop = |event: &&Event| matches!(event, Event::Dropped { .. });
    events.iter().filter(is_drop).count()
}

fn made(events: &[Event]) -> usize {
    let is_made = |event: &&Event| matches!(event, Event::Made { .. });
    events.iter().filter(is_made).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_makes_the_days_ahead_and_drops_those_that_expired_also_where_days_were_missed() {
    let site = Site::new().await;
    // Days without a partition, and days that should have gone long ago.
    let days = [0, 1, 3, 6, 7, 8, 9, 10, 20, 21, 60];
    site.partitions(days).await;
    let events = site.done().await;
    let kept = kept();
    let expected = days
        .iter()
        .filter(|day| **day <= kept)
        .map(|day| *day as i64);
    let expected = expected.chain([-1, -2, -3]).collect();
    assert_eq!(site.days().await, expected);
    assert_eq!(made(&events), 3);
    assert_eq!(
        dropped(&events),
        days.iter().filter(|day| **day > kept).count()
    );
    site.is_consistent().await;

    let events = site.done().await;
    assert_eq!((made(&events), dropped(&events)), (0, 0), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_gets_today_and_three_days_more() {
    let site = Site::new().await;
    site.done().await;
    assert_eq!(site.days().await, [0, -1, -2, -3].into());
}

/// The Go tracker's job ran in New York: its days begin at 04:00 or 05:00 UTC and bear the names of
/// the UTC days.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_another_zone_goes_when_its_last_hour_has_expired_and_its_payloads_with_it() {
    let site = Site::new().await;
    let kept = kept();
    for ago in 0..12 {
        site.run(&format!(
            "DO $$ DECLARE day timestamptz := date_trunc('day', now(), 'UTC') - {ago} * interval '1 day';
             BEGIN
                 EXECUTE format('CREATE TABLE %I PARTITION OF payload_statuses FOR VALUES FROM (%L) TO (%L)',
                     'partition_' || get_date_string(day) || '_' || get_date_string(day + interval '1 day'),
                     day + interval '5 hours', day + interval '29 hours');
             END $$"
        ))
        .await;
    }
    // In the part of the expired day that lies in the last partition that stays, and before that.
    let day = format!("date_trunc('day', now(), 'UTC')::date - {}", kept + 1);
    let stays = site.payload("stays", kept + 1, &day).await;
    site.status(stays, kept + 1).await;
    site.payload("without-status", kept + 1, &day).await;
    let gone = site.payload("gone", kept + 2, "'2020-01-01'").await;
    site.status(gone, kept + 2).await;
    site.done().await;

    // Of the oldest day that is kept and five hours of the next: it began 19 hours before that day's end.
    let bounds = site.bounds().await;
    let kept = i64::try_from(kept).unwrap();
    assert_eq!(bounds[0], (kept, 5), "{bounds:?}");
    assert_eq!(site.request_ids().await, ["stays"]);
    site.is_consistent().await;
    // What is missing before the first and after the last of the job's is filled.
    let ahead: bool = query_scalar(
        "SELECT max(upper) = date_trunc('day', now(), 'UTC') + interval '4 days' FROM status_partitions()",
    )
    .fetch_one(site.pool())
    .await
    .unwrap();
    assert!(ahead);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_database_and_user_changes_nothing() {
    for zone in ["Pacific/Auckland", "America/Los_Angeles"] {
        let site = Site::new().await;
        let name = site.database.config().name;
        site.run(&format!(
            "ALTER DATABASE {name} SET TimeZone = '{zone}'; ALTER DATABASE {name} SET DateStyle = 'SQL, DMY'"
        ))
        .await;
        site.partitions(0..12).await;
        for ago in 0..12 {
            site.payloads(ago, 3).await;
        }
        site.done().await;
        let kept = kept();
        let expected = (-3..=kept as i64).collect();
        assert_eq!(site.days().await, expected, "{zone}");
        assert_eq!(site.count("payloads").await, (kept as i64 + 1) * 3);
        site.is_consistent().await;
    }
}

/// CONCURRENTLY is not to be had then.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_partition_keeps_nothing_else_from_being_done() {
    let site = Site::new().await;
    site.run("CREATE TABLE rest PARTITION OF payload_statuses DEFAULT")
        .await;
    // Today's rows and old ones lie in it.
    let today = site.payload("today", 0, "NULL").await;
    site.status(today, 0).await;
    let old = site.payload("old", 20, "'2020-01-01'").await;
    site.status(old, 20).await;
    site.payload("nothing-left", 20, "'2020-01-01'").await;
    site.partitions([9, 10]).await;
    site.payloads(9, 3).await;
    let events = site.done().await;
    assert_eq!(dropped(&events), 2, "{events:?}");
    let told = |event: &Event| matches!(event, Event::Default { name } if name == "rest");
    assert!(events.iter().any(told), "{events:?}");
    let covered = |event: &&Event| matches!(event, Event::Covered { .. });
    assert_eq!(
        events.iter().filter(covered).count(),
        1,
        "today is covered by it"
    );
    assert_eq!(site.days().await, [-1, -2, -3].into());
    // What has statuses there stays with them.
    assert_eq!(site.request_ids().await, ["old", "today"]);
    site.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_one_after_the_other() {
    let site = Site::new().await;
    site.partitions(8..40).await;
    for ago in [20, 21] {
        site.payloads(ago, 2_000).await;
    }
    let rounds = (0..4).map(|_| site.round());
    let ended = futures_util::future::join_all(rounds).await;
    let mut outcomes = Vec::new();
    let mut all = Vec::new();
    for (outcome, events) in ended {
        outcomes.push(outcome.unwrap());
        all.extend(events);
    }
    assert!(outcomes.contains(&Outcome::Elsewhere), "{outcomes:?}");
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert_eq!(dropped(&all), 32 - usize::from(kept() == 8));
    assert_eq!(made(&all), 4);
    site.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_is_left_alone_and_free_again_with_its_session() {
    let site = Site::new().await;
    let mut holder = support::connect(&site.database.config()).await.unwrap();
    let _: bool = query_scalar("SELECT pg_try_advisory_lock(8097887111620944899)")
        .fetch_one(&mut holder)
        .await
        .unwrap();
    let (ended, events) = site.round().await;
    assert_eq!(ended.unwrap(), Outcome::Elsewhere);
    assert!(events.is_empty(), "{events:?}");
    assert!(site.days().await.is_empty());
    holder.close().await.unwrap();
    site.done().await;
}

/// One that fails keeps no other from being done.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_is_told_and_the_others_are_done() {
    let site = Site::new().await;
    site.partitions([9]).await;
    site.payloads(9, 10).await;
    site.run("ALTER TABLE rejects RENAME TO elsewhere").await;
    let (ended, events) = site.round().await;
    let ended = ended.unwrap_err();
    assert!(
        matches!(&ended, UpkeepError::Unfinished(tasks) if tasks == &[Task::Rejects]),
        "{ended}"
    );
    assert_eq!(dropped(&events), 1);
    assert_eq!(site.count("payloads").await, 0);
    site.run("ALTER TABLE elsewhere RENAME TO rejects").await;
    site.done().await;
}

/// The lock goes with the session, and the round with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_loses_its_session_stops() {
    let site = Site::new().await;
    site.partitions(8..12).await;
    // Its first DROP TABLE ends its session.
    site.run(
        "CREATE FUNCTION cut() RETURNS event_trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$;
         CREATE EVENT TRIGGER cut ON ddl_command_start WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION cut()",
    )
    .await;
    let (ended, events) = site.round().await;
    assert!(matches!(ended, Err(UpkeepError::Lost(_))), "{ended:?}");
    assert_eq!(dropped(&events), 0);
    let failed = |event: &&Event| matches!(event, Event::Failed { .. });
    assert_eq!(
        events.iter().filter(failed).count(),
        1,
        "nothing more is tried"
    );
    site.run("DROP EVENT TRIGGER cut; DROP FUNCTION cut").await;
    site.done().await;
    site.is_consistent().await;
}

/// A partition that is somebody else's cannot be dropped: the others are, and its payloads stay with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_cannot_be_dropped_holds_up_no_other() {
    let site = Site::new().await;
    site.partitions([9, 10, 11]).await;
    for ago in [9, 10, 11] {
        site.payloads(ago, 5).await;
    }
    site.run(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
         DECLARE name text;
         BEGIN
             SELECT object_identity INTO name FROM pg_event_trigger_dropped_objects()
              WHERE object_type = 'table' AND object_identity LIKE '%' || get_date_string(now() - interval '10 days') || '_%';
             IF name LIKE '%partition_' || get_date_string(now() - interval '10 days') || '%' THEN
                 RAISE EXCEPTION 'must be owner of %', name;
             END IF;
         END $$;
         CREATE EVENT TRIGGER refuse ON sql_drop EXECUTE FUNCTION refuse()",
    )
    .await;
    let (ended, events) = site.round().await;
    assert!(ended.unwrap_err().to_string().ends_with("partitions"));
    let refused = |event: &&Event| matches!(event, Event::Refused { error, .. } if error.contains("must be owner"));
    assert_eq!(events.iter().filter(refused).count(), 1, "{events:?}");
    assert_eq!(dropped(&events), 2);
    site.run("DROP EVENT TRIGGER refuse; DROP FUNCTION refuse")
        .await;
    site.done().await;
    site.is_consistent().await;
}
