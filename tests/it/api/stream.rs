//! What streams are tested with: a client that reads events, and statuses stored as the consumer does.

use std::time::Duration;

use reqwest::Response;
use sea_orm::sqlx::{PgConnection, PgPool, query, query_scalar, raw_sql};
use serde_json::Value;
use tokio::time::timeout;

use super::fixture::Api;
use super::rows::partition;

/// A noisy machine is no reason to fail; the promise of 1 s has a test of its own.
const SOON: Duration = Duration::from_secs(20);

/// One event, comments left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub id: Option<String>,
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    /// The message of a status, by which these tests tell statuses apart.
    pub fn said(&self) -> String {
        assert_eq!(self.kind, "status", "{self:?}");
        self.json()["status_msg"].as_str().unwrap().to_owned()
    }
}

/// A client of a stream.
pub struct Stream {
    response: Response,
    read: Vec<u8>,
}

impl Stream {
    /// Listens, after the event with this id if there is one.
    pub async fn open(api: &Api, path: &str, last: Option<&str>) -> Self {
        let mut request = api.request(&format!("/v1{path}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: Vec::new(),
        }
    }

    /// The next event; none at the end.
    pub async fn next(&mut self) -> Option<Event> {
        // Comments keep it alive, and are not what is waited for.
        let next = timeout(SOON, self.any());
        next.await.expect("nothing came")
    }

    /// The next sign of life between events.
    pub async fn comment(&mut self) {
        let comment = async {
            while let Some(block) = self.block().await {
                if block.starts_with(':') {
                    return;
                }
            }
            panic!("the stream ended");
        };
        timeout(SOON, comment).await.expect("no sign of life");
    }

    async fn any(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = parsed(&self.block().await?) {
                return Some(event);
            }
        }
    }

    /// What comes up to the next empty line; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.read.split_off(end + 2);
                let text = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8(text).unwrap());
            }
            let more = self.response.chunk().await.unwrap()?;
            self.read.extend_from_slice(&more);
        }
    }

    /// The next status; positions are passed over.
    pub async fn status(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("the stream ended");
            if event.kind != "position" {
                assert_eq!(event.kind, "status", "{event:?}");
                return event;
            }
        }
    }

    /// What the next statuses say.
    pub async fn said(&mut self, count: usize) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..count {
            said.push(self.status().await.said());
        }
        said
    }

    /// Waits for a position, and gives its id.
    pub async fn position(&mut self) -> String {
        let event = self.next().await.expect("the stream ended");
        assert_eq!(event.kind, "position", "{event:?}");
        event.id.unwrap()
    }
}

fn parsed(text: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("event", kind)) => event.kind = kind.to_owned(),
            Some(("id", id)) => event.id = Some(id.to_owned()),
            Some(("data", data)) => event.data = data.to_owned(),
            _ => {}
        }
    }
    (!event.kind.is_empty()).then_some(event)
}

/// A status on its way in.
#[derive(Clone, Debug)]
pub struct Said {
    pub request_id: &'static str,
    pub service: &'static str,
    pub status: &'static str,
    pub date: String,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            request_id: "r",
            service: "ingress",
            status: "received",
            date: chrono::Utc::now().to_rfc3339(),
        }
    }
}

/// Makes lanes that stand at 0, and the partition of today.
pub async fn lanes(count: i32, pool: &PgPool) {
    query(
        "INSERT INTO consumer_offsets (topic, partition, first_offset, next_offset) \
         SELECT 't', n, 0, 0 FROM generate_series(0, $1 - 1) AS n",
    )
    .bind(count)
    .execute(pool)
    .await
    .unwrap();
    partition(&Said::default().date, pool).await;
}

/// Stores a status without moving its lane. It says its partition and offset.
pub async fn put(said: &Said, lane: i32, offset: i64, session: &mut PgConnection) {
    let payload: i64 = query_scalar(
        "INSERT INTO payloads (request_id, org_id) VALUES ($1, '7') \
         ON CONFLICT (request_id) DO UPDATE SET org_id = '7' RETURNING id",
    )
    .bind(said.request_id)
    .fetch_one(&mut *session)
    .await
    .unwrap();
    query(
        "WITH s AS (INSERT INTO services (name) VALUES ($2) ON CONFLICT (name) DO UPDATE SET name = $2 RETURNING id), \
              t AS (INSERT INTO statuses (name) VALUES ($3) ON CONFLICT (name) DO UPDATE SET name = $3 RETURNING id) \
         INSERT INTO payload_statuses \
                (payload_id, service_id, status_id, status_msg, date, origin_partition, origin_offset) \
         SELECT $1, s.id, t.id, format('%s:%s', $5, $6), $4::timestamptz, $5, $6 FROM s, t",
    )
    .bind(payload)
    .bind(said.service)
    .bind(said.status)
    .bind(&said.date)
    .bind(lane)
    .bind(offset)
    .execute(&mut *session)
    .await
    .unwrap();
}

/// Moves a lane to an offset, with so many statuses stored on the way.
pub async fn advance(lane: i32, to: i64, stored: i64, session: &mut PgConnection) {
    query(
        "UPDATE consumer_offsets SET next_offset = $2, stored = stored + $3, \
                skipped = skipped + ($2 - next_offset) - $3, updated_at = now() WHERE partition = $1",
    )
    .bind(lane)
    .bind(to)
    .bind(stored)
    .execute(&mut *session)
    .await
    .unwrap();
}

/// Commits statuses of a lane at these offsets, which follow each other.
pub async fn commit(said: &Said, lane: i32, offsets: std::ops::Range<i64>, pool: &PgPool) {
    let mut transaction = pool.begin().await.unwrap();
    for offset in offsets.clone() {
        put(said, lane, offset, &mut transaction).await;
    }
    let count = offsets.end - offsets.start;
    advance(lane, offsets.end, count, &mut transaction).await;
    transaction.commit().await.unwrap();
}

pub const LIVE: &str = "/statuses/live";

/// With so many lanes, which stand at 0.
pub async fn with_lanes(count: i32) -> Api {
    let api = Api::start().await;
    lanes(count, &api.database.pool).await;
    api
}

/// Messages of 200 kB each, more than a reader's socket and what is kept for it hold.
pub async fn shout(pool: &PgPool, offsets: std::ops::Range<i64>) {
    let mut transaction = pool.begin().await.unwrap();
    for offset in offsets.clone() {
        put(&Said::default(), 0, offset, &mut transaction).await;
    }
    raw_sql("UPDATE payload_statuses SET status_msg = repeat('x', 200000) WHERE length(status_msg) < 100")
        .execute(&mut *transaction)
        .await
        .unwrap();
    advance(
        0,
        offsets.end,
        offsets.end - offsets.start,
        &mut transaction,
    )
    .await;
    transaction.commit().await.unwrap();
}
