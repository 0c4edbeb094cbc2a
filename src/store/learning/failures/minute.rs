//! The failures of one minute.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sqlx::{self, Connection, PgConnection, PgTransaction};

use crate::explain::{Fingerprint, MOST_READ};

/// A minute is read in as many pieces as leave each about so many statuses, and none shorter than a
/// second.
const PIECE: i64 = 1_000;
const MOST_PIECES: i64 = 60;
/// Statuses of one piece; what a second has beyond them is not counted.
const MOST_STATUSES: i64 = 5_000;

/// How far back an earlier failure of the same payload is looked for, and how many of them.
pub(super) const HORIZON: TimeDelta = TimeDelta::hours(24);
const MOST_EARLIER: i64 = 20;

/// Fingerprints of a minute; the others share one. There are far fewer, unless messages are made of words
/// that differ each time.
const MOST_FINGERPRINTS: usize = 500;
const OTHERS: &str = "(other failures)";

const MOST_ORGS: usize = 1_000;
const EXAMPLES: usize = 3;

const STATUSES: &str = "
SELECT s.payload_id, s.service_id, left(coalesce(s.status_msg, ''), $5) AS message, s.date,
       p.request_id, p.org_id
  FROM payload_statuses AS s
  LEFT JOIN LATERAL (SELECT request_id, org_id FROM payloads WHERE id = s.payload_id LIMIT 1) AS p
       ON true
 WHERE s.status_id = ANY($1) AND s.date >= $2 AND s.date < $3 ORDER BY s.date, s.id LIMIT $4";

const EARLIER: &str = "
SELECT said.* FROM unnest($1::bigint[]) AS p(id) CROSS JOIN LATERAL (
    SELECT payload_id, service_id, left(coalesce(status_msg, ''), $6) AS message
      FROM payload_statuses AS s
     WHERE s.payload_id = p.id AND s.status_id = ANY($2) AND s.date >= $3 AND s.date < $4
     ORDER BY s.date LIMIT $5) AS said";

const FORGET: &str = "DELETE FROM failure_minutes WHERE minute = $1";

const STORE: &str = "
INSERT INTO failure_minutes
       (minute, service_id, fingerprint, payloads, orgs, examples, first_seen, last_seen)
SELECT $1, service, fingerprint, payloads,
       ARRAY(SELECT jsonb_array_elements_text(orgs::jsonb)),
       ARRAY(SELECT jsonb_array_elements_text(examples::jsonb)), first, last
  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[],
              $8::timestamptz[])
       AS n(service, fingerprint, payloads, orgs, examples, first, last)";

const STORE_TEXTS: &str = "
INSERT INTO failures AS f (service_id, fingerprint, text, first_seen, last_seen)
SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[])
ON CONFLICT (service_id, fingerprint) DO UPDATE SET
       first_seen = least(f.first_seen, excluded.first_seen),
       last_seen = greatest(f.last_seen, excluded.last_seen)";

const STORE_COUNT: &str = "
INSERT INTO failure_counts (minute, statuses) VALUES ($1, $2)
ON CONFLICT (minute) DO UPDATE SET statuses = excluded.statuses";

struct Said {
    payload_id: i64,
    service_id: i32,
    message: String,
    date: DateTime<Utc>,
    request_id: Option<String>,
    org_id: Option<String>,
}

type Row = (
    i64,
    i32,
    String,
    DateTime<Utc>,
    Option<String>,
    Option<String>,
);

impl From<Row> for Said {
    fn from((payload_id, service_id, message, date, request_id, org_id): Row) -> Self {
        Self {
            payload_id,
            service_id,
            message,
            date,
            request_id,
            org_id,
        }
    }
}

/// Failures of one fingerprint.
struct Group {
    text: String,
    payloads: HashSet<i64>,
    orgs: BTreeSet<String>,
    examples: Vec<String>,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Group {
    fn new(text: String, at: DateTime<Utc>) -> Self {
        Self {
            text,
            payloads: HashSet::new(),
            orgs: BTreeSet::new(),
            examples: Vec::new(),
            first: at,
            last: at,
        }
    }

    /// Statuses come in the order of their dates.
    fn add(&mut self, said: Said, counts: bool) {
        self.last = said.date;
        if !counts || !self.payloads.insert(said.payload_id) {
            return;
        }
        if let Some(request_id) = said.request_id
            && self.examples.len() < EXAMPLES
        {
            self.examples.push(request_id);
        }
        if let Some(org_id) = said.org_id.filter(|org_id| !org_id.is_empty())
            && self.orgs.len() < MOST_ORGS
        {
            self.orgs.insert(org_id);
        }
    }
}

/// By service and hash.
type Groups = BTreeMap<(i32, i64), Group>;

/// Reads a minute that has so many failures, and writes it anew.
///
/// # Errors
///
/// What the database answers; the minute then stays as it was.
pub async fn read(
    session: &mut PgConnection,
    minute: DateTime<Utc>,
    failures: &[i32],
    statuses: i64,
) -> Result<(), sqlx::Error> {
    let pieces = (statuses / PIECE + 1).min(MOST_PIECES);
    let mut groups = Groups::new();
    for piece in 0..pieces {
        let edge = |piece: i64| minute + TimeDelta::milliseconds(60_000 * piece / pieces);
        let rows: Vec<Row> = sqlx::query_as(STATUSES)
            .bind(failures)
            .bind(edge(piece))
            .bind(edge(piece + 1))
            .bind(MOST_STATUSES)
            .bind(MOST_READ as i32)
            .fetch_all(&mut *session)
            .await?;
        let said: Vec<Said> = rows.into_iter().map(Said::from).collect();
        let payloads: BTreeSet<i64> = said.iter().map(|said| said.payload_id).collect();
        let earlier = earlier(session, payloads, failures, minute).await?;
        for said in said {
            add(&mut groups, said, &earlier);
        }
    }
    let mut transaction = session.begin().await?;
    store(&mut transaction, minute, &groups, statuses).await?;
    transaction.commit().await
}

fn add(groups: &mut Groups, said: Said, earlier: &HashSet<(i64, i32, i64)>) {
    let mut fingerprint = Fingerprint::of(&said.message);
    let counts = !earlier.contains(&(said.payload_id, said.service_id, fingerprint.hash));
    let is_full = groups.len() >= MOST_FINGERPRINTS;
    if is_full && !groups.contains_key(&(said.service_id, fingerprint.hash)) {
        fingerprint = Fingerprint::of(OTHERS);
    }
    groups
        .entry((said.service_id, fingerprint.hash))
        .or_insert_with(|| Group::new(fingerprint.text, said.date))
        .add(said, counts);
}

/// What these payloads failed with before the minute: payload, service and hash.
async fn earlier(
    session: &mut PgConnection,
    payloads: BTreeSet<i64>,
    failures: &[i32],
    minute: DateTime<Utc>,
) -> Result<HashSet<(i64, i32, i64)>, sqlx::Error> {
    let rows: Vec<(i64, i32, String)> = sqlx::query_as(EARLIER)
        .bind(payloads.into_iter().collect::<Vec<_>>())
        .bind(failures)
        .bind(minute - HORIZON)
        .bind(minute)
        .bind(MOST_EARLIER)
        .bind(MOST_READ as i32)
        .fetch_all(session)
        .await?;
    let hashed = |(payload, service, message): (i64, i32, String)| {
        (payload, service, Fingerprint::of(&message).hash)
    };
    Ok(rows.into_iter().map(hashed).collect())
}

async fn store(
    transaction: &mut PgTransaction<'_>,
    minute: DateTime<Utc>,
    groups: &Groups,
    statuses: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(FORGET)
        .bind(minute)
        .execute(&mut **transaction)
        .await?;
    let services: Vec<i32> = groups.keys().map(|(service, _)| *service).collect();
    let hashes: Vec<i64> = groups.keys().map(|(_, hash)| *hash).collect();
    let all = || groups.values();
    let first: Vec<_> = all().map(|group| group.first).collect();
    let last: Vec<_> = all().map(|group| group.last).collect();
    let json = |list: serde_json::Value| list.to_string();
    sqlx::query(STORE)
        .bind(minute)
        .bind(&services)
        .bind(&hashes)
        .bind(
            all()
                .map(|group| group.payloads.len() as i64)
                .collect::<Vec<_>>(),
        )
        .bind(
            all()
                .map(|group| json(group.orgs.iter().cloned().collect()))
                .collect::<Vec<_>>(),
        )
        .bind(
            all()
                .map(|group| json(group.examples.iter().cloned().collect()))
                .collect::<Vec<_>>(),
        )
        .bind(&first)
        .bind(&last)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(STORE_TEXTS)
        .bind(&services)
        .bind(&hashes)
        .bind(all().map(|group| group.text.as_str()).collect::<Vec<_>>())
        .bind(&first)
        .bind(&last)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(STORE_COUNT)
        .bind(minute)
        .bind(statuses)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
