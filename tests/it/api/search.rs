//! `/statuses` finds the same, wherever it has to look for it.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use sea_orm::sqlx::{self, AssertSqlSafe};

use super::fixture::Api;

/// 3,000 statuses of 1,500 payloads over 42 days, a few of them ahead. Each says its number; of every
/// seventh payload no days are known, and every eleventh goes on a week later. Three fifths belong to org
/// `many`.
const FORTY_DAYS: &str = "
SELECT create_partition(day, day + interval '1 day')
  FROM generate_series(date_trunc('day', now() - interval '44 days'), now() + interval '9 days',
                       interval '1 day') AS day;
INSERT INTO services (name) VALUES ('busy'), ('rare');
INSERT INTO statuses (name) VALUES ('received'), ('success');
INSERT INTO payloads (request_id, org_id, created_at)
SELECT 'request' || n, CASE WHEN n % 5 < 3 THEN 'many' WHEN n % 50 = 4 THEN 'few' ELSE 'other' END,
       now() + interval '20 h' - n * interval '40 min'
  FROM generate_series(1, 1500) AS n;
INSERT INTO payload_ids (kind, value, payload_id)
SELECT 2, '00000000-0000-4000-8000-00000000000' || id % 3, id FROM payloads WHERE id % 400 < 3;
INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date)
SELECT p.id, s.id, t.id, p.id || '/' || step,
       created_at + step * CASE WHEN p.id % 11 = 0 THEN interval '7 days' ELSE interval '3 s' END
  FROM payloads AS p, generate_series(0, 1) AS step, services AS s, statuses AS t
 WHERE s.name = CASE WHEN p.id % 97 = 0 THEN 'rare' ELSE 'busy' END
   AND t.name = CASE step WHEN 0 THEN 'received' ELSE 'success' END;
UPDATE payloads SET first_day = days.first, last_day = days.last
  FROM (SELECT payload_id, min(date AT TIME ZONE 'UTC')::date AS first,
               max(date AT TIME ZONE 'UTC')::date AS last
          FROM payload_statuses GROUP BY 1) AS days
 WHERE id = payload_id AND id % 7 > 0";

/// Parameters, and what they mean.
const FILTERS: [(&str, &str); 9] = [
    ("", "true"),
    ("service=busy", "service = 'busy'"),
    ("service=rare", "service = 'rare'"),
    (
        "service=rare&status=success",
        "service = 'rare' AND status = 'success'",
    ),
    ("org_id=many", "org_id = 'many'"),
    ("org_id=few", "org_id = 'few'"),
    (
        "org_id=few&service=rare",
        "org_id = 'few' AND service = 'rare'",
    ),
    (
        "system_id=00000000000040008000000000000001",
        "payload_id % 400 < 3 AND payload_id % 3 = 1",
    ),
    ("request_id=request77", "request_id = 'request77'"),
];

const BOUNDS: [(&str, &str); 5] = [
    ("", "true"),
    ("date_lt=%20 days", "date < $1 - interval '20 days'"),
    ("date_gte=%18 days", "date >= $1 - interval '18 days'"),
    (
        "date_lte=%3 days&date_gt=%4 days",
        "date <= $1 - interval '3 days' AND date > $1 - interval '4 days'",
    ),
    ("date_gte=%12 hours", "date >= $1 - interval '12 hours'"),
];

impl Api {
    /// What is said, by a query that looks at everything.
    async fn plainly(&self, now: DateTime<Utc>, condition: &str, order: &str) -> Vec<String> {
        let sql = format!(
            "SELECT status_msg FROM (
                 SELECT s.*, org_id, request_id, v.name AS service, t.name AS status
                   FROM payload_statuses AS s JOIN payloads AS p ON p.id = payload_id
                   JOIN services AS v ON v.id = service_id JOIN statuses AS t ON t.id = status_id) AS said
              WHERE {condition} AND $1 IS NOT NULL ORDER BY {order}"
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(now)
            .fetch_all(&self.database.pool)
            .await
            .unwrap()
    }
}

/// `%20 days` and the like as instants.
fn filled_in(bounds: &str, now: DateTime<Utc>) -> String {
    let instant = |text: &str| {
        let (number, unit) = text.split_once(' ').unwrap();
        let hours = number.parse::<i64>().unwrap() * if unit == "days" { 24 } else { 1 };
        (now - TimeDelta::hours(hours)).to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    let parts = bounds.split('&').map(|part| match part.split_once('%') {
        Some((name, text)) => format!("{name}{}", instant(text)),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_and_its_count_are_what_a_look_at_everything_finds() {
    let api = Api::start().await;
    api.sql(FORTY_DAYS).await;
    let now = Utc::now().trunc_subsecs(0);
    for (filter, of) in FILTERS {
        for (bounds, within) in BOUNDS {
            for (order, by) in [
                ("", "date DESC, id DESC"),
                ("sort_dir=asc", "date, id"),
                ("sort_by=service&sort_dir=asc", "service, id"),
            ] {
                let all = api.plainly(now, &format!("{of} AND {within}"), by).await;
                let bounds = filled_in(bounds, now);
                let pages: &[_] = match order {
                    "" => &[(0, 10), (2, 7), (0, 1000)],
                    _ => &[(1, 10)],
                };
                for &(page, size) in pages {
                    let path =
                        format!("/statuses?{filter}&{bounds}&{order}&page={page}&page_size={size}");
                    let list = api.json(&path).await;
                    assert_eq!(list["count"], all.len(), "{path}");
                    let expected = all.iter().skip(page * size).take(size);
                    let expected: Vec<&str> = expected.map(String::as_str).collect();
                    let rows = list["data"].as_array().unwrap();
                    let said = rows.iter().map(|row| row["status_msg"].as_str().unwrap());
                    assert_eq!(said.collect::<Vec<_>>(), expected, "{path}");
                    assert!(rows.iter().all(|row| row["request_id"] != ""), "{path}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_reads_on_through_weeks() {
    let api = Api::start().await;
    api.sql(FORTY_DAYS).await;
    for filter in ["service=rare", "org_id=few", "org_id=many"] {
        let condition = FILTERS.iter().find(|(name, _)| *name == filter).unwrap().1;
        let now = Utc::now().trunc_subsecs(0);
        let all = api.plainly(now, condition, "date DESC, id DESC").await;
        let (mut said, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/statuses?{filter}&page_size=9{cursor}");
            let list = api.json(&path).await;
            assert_eq!(list["count"], all.len(), "{path}");
            let rows = list["data"].as_array().unwrap();
            said.extend(
                rows.iter()
                    .map(|row| row["status_msg"].as_str().unwrap().to_owned()),
            );
            let Some(next) = list["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(said, all, "{filter}");
    }
}

/// Where the count ends in the midst of what is looked at first, next, and last.
#[tokio::test(flavor = "multi_thread")]
async fn counts_end_at_ten_thousand_wherever_the_rows_are() {
    for (today, lately, once, count, is_capped) in [
        (10_000, 0, 0, 10_000, false),
        (10_001, 0, 0, 10_000, true),
        (6_000, 4_000, 1, 10_000, true),
        (3_000, 3_000, 4_000, 10_000, false),
        (3_000, 3_000, 4_001, 10_000, true),
        (3_000, 0, 3_000, 6_000, false),
    ] {
        let api = Api::start().await;
        api.sql(FORTY_DAYS).await;
        for (rows, ago) in [(today, 0), (lately, 9), (once, 30)] {
            sqlx::query(
                "INSERT INTO payload_statuses (payload_id, service_id, status_id, date)
                 SELECT p, s.id, t.id, now() - $2 * interval '1 day'
                   FROM (SELECT p.id FROM payloads AS p WHERE org_id = 'few' LIMIT 1) AS o(p),
                        generate_series(1, $1) AS n, services AS s, statuses AS t
                  WHERE s.name = 'rare' AND t.name = 'received'",
            )
            .bind(rows)
            .bind(ago)
            .execute(&api.database.pool)
            .await
            .unwrap();
        }
        api.sql(
            "DELETE FROM payload_statuses WHERE status_msg <> '';
             UPDATE payloads SET first_day = NULL, last_day = NULL",
        )
        .await;
        for filter in ["", "service=rare", "org_id=few"] {
            let list = api.json(&format!("/statuses?{filter}")).await;
            assert_eq!(list["count"], count, "{filter} {today} {lately} {once}");
            let capped = list.get("count_capped").is_some();
            assert_eq!(capped, is_capped, "{filter} {today} {lately} {once}");
        }
    }
}

/// 60 statuses with a mebibyte of message each.
const LONG: &str = "
INSERT INTO services (name) VALUES ('talker');
INSERT INTO statuses (name) VALUES ('error');
INSERT INTO payloads (request_id) VALUES ('0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d');
SELECT create_partition(date_trunc('day', now()), date_trunc('day', now()) + interval '1 day');
INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date)
SELECT p.id, v.id, t.id, n || repeat(' long', 200000), date_trunc('day', now()) + n * interval '1 s'
  FROM generate_series(1, 60) AS n, payloads AS p, services AS v, statuses AS t;
INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date)
SELECT payload_id, service_id, status_id, 'short', date_trunc('day', now()) FROM payload_statuses LIMIT 1";

#[tokio::test(flavor = "multi_thread")]
async fn of_many_long_messages_only_the_first_are_whole() {
    let api = Api::start().await;
    api.sql(LONG).await;
    for path in [
        "/statuses?page_size=100",
        "/statuses?page_size=100&service=talker",
        "/statuses?page_size=100&request_id=0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
        "/statuses?page_size=100&format=csv",
        "/payloads/0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
        "/payloads/0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d/trace?format=otlp",
        "/payloads/0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d/trace?format=chrome",
    ] {
        let text = api.text(path).await;
        assert!(text.len() < 9 << 20, "{path}: {}", text.len());
        let shortened = text.matches("bytes, shortened: ask for fewer").count();
        // Some say a message twice.
        assert!(shortened >= 56, "{path}: {shortened}");
    }
    let all = api.json("/statuses?page_size=100").await;
    let messages = all["data"].as_array().unwrap().iter();
    let messages: Vec<&str> = messages
        .map(|row| row["status_msg"].as_str().unwrap())
        .collect();
    assert_eq!(messages.len(), 61);
    assert_eq!(messages[3].len(), "57".len() + 1_000_000);
    assert!(messages[4].starts_with("56 long"), "{}", messages[4]);
    assert_eq!(messages[60], "short");
    let one = api.json("/statuses?page_size=1&page=30").await;
    let message = one["data"][0]["status_msg"].as_str().unwrap();
    assert_eq!(message.len(), "30".len() + 1_000_000);
}
