//! The report on producers, against numbers computed by hand.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use payload_tracker::status::{Message, Reject, Rules};
use payload_tracker::store::batch::{Batch, Part, Raw, Rejected, Stored};
use payload_tracker::store::producers::judge;
use payload_tracker::store::writer::{Limits, Writer};
use payload_tracker::{config, status::Reason};
use sea_orm::sqlx::{self, PgPool};
use serde_json::{Value, json};
use std::time::Duration;

use super::fixture::Api;

/// Offsets and a writer, so that messages come in as from Kafka, at times of the test's choice.
struct Feed {
    pool: PgPool,
    writer: Writer,
    next: i64,
    batch: Part,
}

impl Feed {
    async fn new(pool: &PgPool) -> Self {
        sqlx::query("INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset) VALUES ('t', 0, 0, 0)")
            .execute(pool)
            .await
            .unwrap();
        let fuse = config::Fuse {
            window: 1_000,
            max_rejected_percent: 100,
            cooldown: Duration::from_secs(1),
        };
        let limits = Limits {
            max_names: 10_000,
            fuse,
        };
        Self {
            pool: pool.clone(),
            writer: Writer::new(pool.clone(), "t".into(), limits),
            next: 0,
            batch: Part::at(0),
        }
    }

    /// `fields`: what the message has besides its request id; `produced`: Kafka's timestamp.
    fn add(&mut self, request: u32, fields: &Value, produced: DateTime<Utc>) {
        let mut fields = fields.clone();
        fields["request_id"] = json!(format!("{request:032x}"));
        let value = fields.to_string().into_bytes();
        let raw = Raw {
            key: None,
            value: Some(value.clone()),
            produced_at: Some(produced),
        };
        let rules = Rules {
            required: Vec::new(),
            ..Rules::default()
        };
        let offset = self.next;
        match Message::decode(&value, &rules, Utc::now()) {
            Ok(message) => self.batch.stored.push(Stored {
                offset,
                raw,
                message,
            }),
            Err(reject) => self.batch.rejected.push(Rejected {
                offset,
                raw,
                reject,
                sqlstate: None,
            }),
        }
        self.next += 1;
        self.batch.end = self.next;
    }

    fn reject(&mut self, reject: Reject, produced: DateTime<Utc>) {
        self.batch.rejected.push(Rejected {
            offset: self.next,
            raw: Raw {
                key: None,
                value: None,
                produced_at: Some(produced),
            },
            reject,
            sqlstate: None,
        });
        self.next += 1;
        self.batch.end = self.next;
    }

    async fn write(&mut self) {
        let mut batch = Batch::default();
        let part = std::mem::replace(&mut self.batch, Part::at(self.next));
        batch.parts.insert(0, part);
        self.writer.write(&mut batch).await.unwrap();
    }

    /// Judges until nothing is left, and gives the hours.
    async fn judge(&self) -> Vec<DateTime<Utc>> {
        self.judge_after(TimeDelta::zero()).await
    }

    /// The same, some time from now.
    async fn judge_after(&self, time: TimeDelta) -> Vec<DateTime<Utc>> {
        let mut hours = Vec::new();
        while let Some(hour) = judge(&self.pool, Utc::now() + time).await.unwrap() {
            hours.push(hour);
            assert!(hours.len() < 100, "it goes on for ever");
        }
        hours
    }
}

/// The beginning of the hour `hours` before this one.
fn hour(hours: i64) -> DateTime<Utc> {
    Utc::now().duration_trunc(TimeDelta::hours(1)).unwrap() - TimeDelta::hours(hours)
}

fn said(service: &str, status: &str, date: DateTime<Utc>) -> Value {
    json!({ "service": service, "status": status, "date": date.to_rfc3339(), "org_id": "1" })
}

async fn report(api: &Api, service: &str) -> Value {
    let report = api.json("/producers?since=48h").await;
    let rows = report["data"].as_array().unwrap();
    rows.iter()
        .find(|row| row["service"] == service)
        .cloned()
        .unwrap_or_default()
}

fn seconds(value: i64) -> TimeDelta {
    TimeDelta::seconds(value)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sent_is_an_empty_report() {
    let api = Api::start().await;
    let report = api.json("/producers").await;
    assert_eq!(
        (&report["data"], &report["judged_until"]),
        (&json!([]), &json!(null))
    );
    let since: DateTime<Utc> = report["since"].as_str().unwrap().parse().unwrap();
    assert!(since == hour(24) || since == hour(25), "{since}");
}

#[tokio::test(flavor = "multi_thread")]
async fn since_takes_durations_and_times() {
    let api = Api::start().await;
    for since in [
        "90m",
        "30d",
        "1s",
        &hour(48).to_rfc3339(),
        &hour(24).format("%Y-%m-%d").to_string(),
    ] {
        api.json(&format!("/producers?since={since}")).await;
    }
    for wrong in ["31d", "soon", "1w", "-1h", "2100-01-01"] {
        let (status, message) = api.problem(&format!("/producers?since={wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(
            message.starts_with(&format!("since {wrong:?} is not a time")),
            "{message}"
        );
        assert!(message.contains("at most 30 days ago"), "{message}");
    }
}

/// Ten messages were produced three hours ago, a second after they happened, and are read now.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_no_skew() {
    let api = Api::start().await;
    let mut feed = Feed::new(&api.database.pool).await;
    for n in 0..10 {
        let date = hour(3) + seconds(n);
        feed.add(n as u32, &said("late", "received", date), date + seconds(1));
    }
    // 98 % within 100 ms, the others an hour behind; and one whose clock is 5 minutes ahead.
    for n in 0..100 {
        let behind = if n < 98 {
            TimeDelta::milliseconds(100)
        } else {
            seconds(3_600)
        };
        let at = hour(3) + seconds(1_000 + n);
        feed.add(100 + n as u32, &said("behind", "received", at - behind), at);
        feed.add(
            300 + n as u32,
            &said("ahead", "received", at + seconds(300)),
            at,
        );
    }
    feed.write().await;
    let near = |value: &Value, truth: f64| {
        let ratio = value.as_f64().unwrap() / truth;
        assert!((0.5..=2.0).contains(&ratio), "{value} for {truth}");
    };
    let late = report(&api, "late").await;
    near(&late["clock_skew"]["median"], 1.0);
    near(&late["clock_skew"]["p99"], 1.0);
    let behind = report(&api, "behind").await;
    near(&behind["clock_skew"]["median"], 0.1);
    near(&behind["clock_skew"]["p99"], 3_600.0);
    let ahead = report(&api, "ahead").await;
    near(&ahead["clock_skew"]["median"], -300.0);
    near(&ahead["clock_skew"]["p99"], -300.0);
    // They count in the hour in which they were produced.
    let recent = api.json("/producers?since=1h").await;
    assert_eq!(recent["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_rejects_and_missing_org_ids_are_counted() {
    let api = Api::start().await;
    let mut feed = Feed::new(&api.database.pool).await;
    let now = Utc::now();
    let mut without = said("mq", "received", now);
    without["org_id"] = json!("");
    feed.add(1, &said("mq", "received", now), now);
    feed.add(2, &without, now);
    feed.write().await;
    feed.add(3, &without, now);
    feed.add(4, &said("mq", "", now), now);
    feed.add(
        5,
        &json!({ "service": "mq", "status": "s", "date": "soon" }),
        now,
    );
    feed.add(6, &json!({ "status": "received" }), now);
    let missing = Reject {
        reason: Reason::MissingField,
        detail: "org_id is missing, null or empty, but it is required".into(),
        service: Some("mq".into()),
        request_id: None,
    };
    feed.reject(missing, now);
    feed.write().await;
    let mq = report(&api, "mq").await;
    assert_eq!(
        (&mq["messages"], &mq["rejected"], &mq["missing_org_id"]),
        (&json!(6), &json!(3), &json!(3)),
        "{mq}"
    );
    assert_eq!(
        mq["rejects"],
        json!({ "missing_field": 2, "invalid_date": 1 })
    );
    let unreadable = report(&api, "").await;
    assert_eq!(
        (&unreadable["messages"], &unreadable["rejects"]),
        (&json!(1), &json!({ "missing_field": 1 }))
    );
    assert_eq!(unreadable["clock_skew"], json!(null));
    assert_eq!(unreadable["never_ended_share"], json!(null));
}

/// Of seven payloads that `a` began in the hour, two were never ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_and_never_ended_is_judged_by_hand_alike() {
    let api = Api::start().await;
    let mut feed = Feed::new(&api.database.pool).await;
    let at = hour(5);
    let mut say = |request: u32, service: &str, status: &str, after: i64| {
        let date = at + seconds(after);
        feed.add(request, &said(service, status, date), date);
    };
    say(1, "a", "received", 10);
    say(1, "a", "success", 20);
    say(2, "a", "received", 10);
    say(2, "a", "error", 3_599);
    // Ended in the next hour.
    say(3, "a", "received", 3_000);
    say(3, "a", "processed", 4_000);
    // Never, though another service ended it.
    say(4, "a", "received", 30);
    say(4, "b", "success", 40);
    // Never, in many words.
    for second in 0..5 {
        say(5, "a", "processing", 100 * second);
    }
    // Begun in the hour before: not of this one.
    say(6, "a", "received", -60);
    say(6, "a", "processing", 60);
    // Begun with its end.
    say(7, "a", "success", 50);
    say(8, "a", "received", 70);
    say(8, "a", "rejected", 80);
    say(9, "a", "rejected", 3_540);
    feed.write().await;
    let unjudged = report(&api, "a").await;
    assert_eq!(
        (&unjudged["began"], &unjudged["duplicates"]),
        (&json!(0), &json!(0))
    );

    assert_eq!(feed.judge().await, [hour(6), hour(5), hour(4)]);
    let a = report(&api, "a").await;
    // The one that began in the hour before is counted there.
    assert_eq!(
        (&a["began"], &a["never_ended"]),
        (&json!(9), &json!(3)),
        "{a}"
    );
    assert_eq!(a["never_ended_share"], json!(3.0 / 9.0));
    let this_hour: (i64, i64) = sqlx::query_as(
        "SELECT began, unended FROM producer_hours WHERE service = 'a' AND hour = $1",
    )
    .bind(at)
    .fetch_one(&api.database.pool)
    .await
    .unwrap();
    assert_eq!(this_hour, (8, 2));
    let b = report(&api, "b").await;
    assert_eq!((&b["began"], &b["never_ended"]), (&json!(1), &json!(0)));
    let judged = api.json("/producers?since=48h").await["judged_until"].clone();
    let judged: DateTime<Utc> = judged.as_str().unwrap().parse().unwrap();
    assert_eq!(judged, hour(3));

    // Nothing is left to do, until an end comes late.
    assert!(feed.judge().await.is_empty());
    let end = at + seconds(90);
    feed.add(4, &said("a", "success", end), end);
    feed.write().await;
    assert!(feed.judge().await.is_empty(), "it was judged a moment ago");
    assert_eq!(feed.judge_after(TimeDelta::minutes(61)).await, [hour(5)]);
    let a = report(&api, "a").await;
    assert_eq!(
        (&a["began"], &a["never_ended"]),
        (&json!(9), &json!(2)),
        "{a}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_unknown_names_are_judged() {
    let api = Api::start().await;
    let mut feed = Feed::new(&api.database.pool).await;
    let at = hour(4) + seconds(59);
    let mut one = said("a", "received", at);
    one["status_msg"] = json!("one");
    let mut other = one.clone();
    other["status_msg"] = json!("other");
    for _ in 0..3 {
        feed.add(1, &one, at);
    }
    feed.add(1, &other, at);
    feed.add(2, &one, at);
    feed.add(3, &said("a", "made-up", at), at);
    feed.add(4, &said("a", "Made-Up", at), at);
    feed.add(4, &said("a", "known-now", at), at);
    feed.write().await;
    api.sql("INSERT INTO status_classes VALUES ('known-now', 'progress')")
        .await;
    feed.judge().await;
    let a = report(&api, "a").await;
    assert_eq!(
        (&a["duplicates"], &a["messages"]),
        (&json!(2), &json!(8)),
        "{a}"
    );
    assert_eq!(a["unknown_statuses"], json!({ "made-up": 2 }));
}

/// Kafka's timestamp may be the producer's, and anything.
#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_timestamp_makes_no_hour_of_its_own() {
    let api = Api::start().await;
    let mut feed = Feed::new(&api.database.pool).await;
    let now = Utc::now();
    for produced in [DateTime::UNIX_EPOCH, now + TimeDelta::days(400), now] {
        feed.add(1, &said("a", "received", now), produced);
    }
    feed.write().await;
    let hours: Vec<DateTime<Utc>> = sqlx::query_scalar("SELECT hour FROM producer_hours")
        .fetch_all(&api.database.pool)
        .await
        .unwrap();
    assert!(
        hours.iter().all(|at| *at == hour(0) || *at == hour(1)),
        "{hours:?}"
    );
    assert_eq!(report(&api, "a").await["messages"], 3);
}

/// A bug puts an id into `service`, and every message is a reject.
#[tokio::test(flavor = "multi_thread")]
async fn services_that_only_rejects_name_are_limited() {
    let api = Api::start().await;
    let mut feed = Feed::new(&api.database.pool).await;
    let now = Utc::now();
    for n in 0..2_500 {
        let reject = Reject {
            reason: Reason::TooManyNames,
            detail: "d".into(),
            service: Some(format!("id-{n:04}")),
            request_id: None,
        };
        feed.reject(reject, now);
        if n == 1_200 {
            feed.write().await;
        }
    }
    feed.write().await;
    let (rows, messages, rejects): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM producer_hours), (SELECT sum(messages)::bigint FROM producer_hours),
                (SELECT sum(count)::bigint FROM reject_hours)",
    )
    .fetch_one(&api.database.pool)
    .await
    .unwrap();
    // And another for those without a name; twice as many should the hour have turned.
    assert!(
        rows == 1_001 || rows <= 2_002 && hour(0) > now - TimeDelta::minutes(5),
        "{rows}"
    );
    assert_eq!((messages, rejects), (2_500, 2_500));
    assert!(report(&api, "").await["messages"].as_i64().unwrap() >= 499);
}

/// Whoever judged while something came has to judge again.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_an_hour_is_judged_is_not_missed() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let mut feed = Feed::new(pool).await;
    let at = hour(4) + seconds(30);
    feed.add(1, &said("a", "received", at), at);
    feed.write().await;
    // The judge waits at its last statement, having read everything.
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM producer_hours FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let judging = tokio::spawn({
        let pool = pool.clone();
        async move { judge(&pool, Utc::now()).await.unwrap() }
    });
    crate::support::eventually("the judge to wait", Duration::from_secs(20), || async {
        let waiting: Option<i32> = sqlx::query_scalar(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_optional(pool)
        .await
        .unwrap();
        waiting
    })
    .await;
    // As a batch does in its last statement.
    sqlx::query("UPDATE producer_hours SET touched = touched + 1, stale = true")
        .execute(&mut *holder)
        .await
        .unwrap();
    holder.commit().await.unwrap();
    assert_eq!(judging.await.unwrap(), Some(hour(4)));
    assert_eq!(feed.judge_after(TimeDelta::minutes(61)).await, [hour(4)]);
    assert!(feed.judge_after(TimeDelta::minutes(122)).await.is_empty());
}
