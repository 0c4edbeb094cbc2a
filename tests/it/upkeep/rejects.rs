//! Rejects, the trace of their redrives, the hourly counts of producers, and what was learnt.

use payload_tracker::upkeep::Table;
use sea_orm::sqlx::{query, query_scalar};

use super::fixture::{Site, deleted};

async fn rejects(site: &Site, count: i32, age: &str) {
    query(
        "INSERT INTO rejects (topic, partition, \"offset\", value, reason, detail, received_at)
         SELECT 't', 0, n, 'x', 'malformed', $2, now() - $2::interval
           FROM generate_series(1, $1) AS n",
    )
    .bind(count)
    .bind(age)
    .execute(site.pool())
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_go_after_thirty_days_with_the_trace_of_their_redrives() {
    let site = Site::new().await;
    rejects(&site, 7_000, "31 days").await;
    rejects(&site, 10, "29 days").await;
    site.run(
        "INSERT INTO redrives (reject_id, by, outcome)
         SELECT id, 'somebody', 'stored' FROM rejects CROSS JOIN generate_series(1, 2)
          WHERE id % 100 = 0 OR detail = '29 days'",
    )
    .await;
    let events = site.done().await;
    assert_eq!(deleted(&events, Table::Rejects), 7_000);
    assert_eq!(deleted(&events, Table::Redrives), 140);
    let left: Vec<String> = query_scalar("SELECT DISTINCT detail FROM rejects")
        .fetch_all(site.pool())
        .await
        .unwrap();
    assert_eq!(left, ["29 days"]);
    assert_eq!(site.count("redrives").await, 20);
    let orphans = "redrives WHERE reject_id NOT IN (SELECT id FROM rejects)";
    assert_eq!(site.count(orphans).await, 0);
}

/// Who redrives a reject has locked it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reject_that_is_being_redriven_stays_with_its_trace() {
    let site = Site::new().await;
    rejects(&site, 3, "31 days").await;
    let mut redriving = site.pool().begin().await.unwrap();
    let id: i64 = query_scalar("SELECT id FROM rejects ORDER BY id LIMIT 1 FOR UPDATE")
        .fetch_one(&mut *redriving)
        .await
        .unwrap();
    site.done().await;
    query("INSERT INTO redrives (reject_id, by, outcome) VALUES ($1, 'somebody', 'stored')")
        .bind(id)
        .execute(&mut *redriving)
        .await
        .unwrap();
    redriving.commit().await.unwrap();
    assert_eq!(
        site.count("rejects JOIN redrives ON rejects.id = reject_id")
            .await,
        1
    );
    site.done().await;
    assert_eq!(site.count("rejects").await, 0);
    assert_eq!(site.count("redrives").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hourly_counts_go_after_thirty_days() {
    let site = Site::new().await;
    site.run(
        "INSERT INTO producer_hours (hour, service)
         SELECT date_trunc('hour', now()) - n * interval '1 hour', 'service-' || m
           FROM generate_series(0, 24 * 32) AS n CROSS JOIN generate_series(1, 9) AS m;
         INSERT INTO reject_hours (hour, service, reason, count)
         SELECT hour, service, 'malformed', 1 FROM producer_hours",
    )
    .await;
    let old = |name: &str| format!("{name} WHERE hour < now() - interval '30 days'");
    let expired = site.count(&old("producer_hours")).await;
    assert!(expired >= 48 * 9);
    let events = site.done().await;
    for (table, name) in [
        (Table::ProducerHours, "producer_hours"),
        (Table::RejectHours, "reject_hours"),
    ] {
        assert_eq!(deleted(&events, table) as i64, expired, "{name}");
        assert_eq!(site.count(&old(name)).await, 0);
    }
}

/// It is asked for 7 days back, in whole hours.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_goes_after_seven_days() {
    let site = Site::new().await;
    site.run(
        "INSERT INTO learnt_hours (hour, computed_at, payloads, touched)
         SELECT date_trunc('hour', now()) - n * interval '1 hour', now(), 1, 1
           FROM generate_series(0, 24 * 9) AS n;
         INSERT INTO step_hours SELECT hour, n, 0, 1, '{}' FROM learnt_hours, generate_series(1, 20) AS n;
         INSERT INTO follower_hours SELECT hour, n, 0, 1, 0, '{}' FROM learnt_hours, generate_series(1, 20) AS n;
         INSERT INTO failure_hours SELECT hour, 1 FROM learnt_hours;
         INSERT INTO failure_counts SELECT hour, 1 FROM learnt_hours;
         INSERT INTO failure_minutes SELECT hour, 1, 1, 1, '{}', '{}', hour, hour FROM learnt_hours;
         INSERT INTO failures SELECT 1, extract(epoch FROM hour), '', hour, hour FROM learnt_hours",
    )
    .await;
    let events = site.done().await;
    for (table, at) in [
        (Table::LearntHours, "hour"),
        (Table::StepHours, "hour"),
        (Table::FollowerHours, "hour"),
        (Table::FailureHours, "hour"),
        (Table::FailureCounts, "minute"),
        (Table::FailureMinutes, "minute"),
        (Table::Failures, "last_seen"),
    ] {
        let name = table.name();
        let per_hour = if name == "step_hours" || name == "follower_hours" {
            20
        } else {
            1
        };
        assert_eq!(deleted(&events, table), 48 * per_hour, "{name}");
        let oldest = format!("{name} WHERE {at} < now() - interval '7 days 1 hour'");
        assert_eq!(site.count(&oldest).await, 0, "{name}");
        assert_eq!(site.count(name).await, 169 * per_hour as i64, "{name}");
    }
}
