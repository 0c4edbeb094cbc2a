//! The rows that an explanation rests on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Statement, Value,
};

use super::answer::IdKind;
use crate::api::payload::days_of;
use crate::explain::{
    Class, Finding, Fingerprint, MOST_READ, Path, Statistics, Status, Stay, Step, Verdict,
};
use crate::store::entity::payloads;
use crate::store::learning::failures::{self, Kind, Similar};
use crate::store::learning::{self, Learnt};
use crate::store::lent::Transaction;

/// Payloads of a host that are looked at to find the latest, and how many of them are told of.
const MOST_MATCHES: i64 = 100;
pub const LATEST: usize = 10;

/// Statuses that are read of a payload that was asked for, and of each of several: the newest.
const MOST_STATUSES: usize = 10_000;
const MOST_OF_EACH: usize = 1_000;

const MATCHES: &str = "
SELECT 0::smallint AS kind, id AS payload_id FROM payloads WHERE request_id = ANY($1)
UNION ALL
SELECT named.* FROM unnest(ARRAY[1, 2]::smallint[]) AS k(kind) CROSS JOIN unnest($2) AS v(value)
 CROSS JOIN LATERAL (
     SELECT kind, payload_id FROM payload_ids AS i WHERE i.value = v.value AND i.kind = k.kind
      ORDER BY payload_id DESC LIMIT $3) AS named";

/// Without their messages, which may be long. The innermost is set apart, so that the order does not make
/// the planner prefer an index on all of a day.
const STATUSES: &str = "
SELECT said.* FROM unnest($1) AS p(id) CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT payload_id, id, service_id, source_id, status_id, date
          FROM payload_statuses AS s
         WHERE s.payload_id = p.id
           AND s.date >= coalesce($3, '-infinity') AND s.date < coalesce($4, 'infinity')
        OFFSET 0) AS its
     ORDER BY date DESC, id DESC LIMIT $2) AS said";

const MESSAGE: &str = "
SELECT left(status_msg, $4) AS message FROM payload_statuses
 WHERE payload_id = ANY($1) AND id = $2 AND date = $3";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub request_ids: Vec<String>,
    pub host_ids: Vec<String>,
    pub now: DateTime<Utc>,
}

/// Payloads that are one: the Go tracker kept the forms of a request id apart.
#[derive(Debug)]
pub struct Subject {
    pub payload: payloads::Model,
    /// The ids of all its rows.
    pub payloads: Vec<i64>,
    pub path: Path,
    pub finding: Finding,
    /// There are more statuses than were read.
    pub truncated: bool,
}

/// Why a payload failed.
#[derive(Debug)]
pub struct Cause {
    /// The status that says so.
    pub status: Status,
    pub message: String,
    pub fingerprint: Fingerprint,
    pub similar: Option<Similar>,
}

/// Everything an explanation rests on.
#[derive(Debug)]
pub struct Facts {
    pub kind: IdKind,
    /// The one asked for, or the latest of a host.
    pub subject: Subject,
    /// Of a host the next latest, the latest first.
    pub older: Vec<Subject>,
    /// By kind of id, the payloads it matches besides; up to [`MOST_MATCHES`] are counted.
    pub others: Vec<(IdKind, usize)>,
    pub cause: Option<Cause>,
    pub statistics: Statistics,
    pub learnt: Option<Learnt>,
}

#[derive(FromQueryResult)]
struct Match {
    kind: i16,
    payload_id: i64,
}

#[derive(FromQueryResult)]
struct Row {
    payload_id: i64,
    id: i64,
    service_id: i32,
    source_id: Option<i32>,
    status_id: i32,
    date: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Message {
    message: Option<String>,
}

/// The facts on an id; none where it is nobody's.
pub async fn find(asked: Asked, db: &Transaction) -> Result<Option<Facts>, DbErr> {
    let mut matches = matches(&asked, db).await?;
    let Some((kind, ids)) = matches.pop_first() else {
        return Ok(None);
    };
    let payloads = payloads::Entity::find()
        .filter(payloads::Column::Id.eq_any(ids))
        .order_by_desc(payloads::Column::CreatedAt)
        .order_by_desc(payloads::Column::Id)
        .limit(LATEST as u64)
        .all(db)
        .await?;
    let most = match kind {
        IdKind::Request => MOST_STATUSES,
        IdKind::Inventory | IdKind::System => MOST_OF_EACH,
    };
    let mut statuses = statuses(&payloads, most, db).await?;
    let said = statuses.values().flatten();
    let services: BTreeSet<i32> = said.map(|status| status.step.service).collect();
    let statistics = learning::statistics(services.into_iter().collect(), db).await?;
    let groups: Vec<Vec<payloads::Model>> = match kind {
        IdKind::Request => vec![payloads],
        IdKind::Inventory | IdKind::System => payloads.into_iter().map(|p| vec![p]).collect(),
    };
    let subject = |group: Vec<payloads::Model>| {
        let payloads: Vec<i64> = group.iter().map(|payload| payload.id).collect();
        let payload = group.into_iter().next()?;
        let mut truncated = false;
        let mut said = Vec::new();
        for mut of_one in payloads.iter().filter_map(|id| statuses.remove(id)) {
            truncated |= of_one.len() > most;
            of_one.truncate(most);
            said.extend(of_one);
        }
        let path: Path = said.into_iter().collect();
        let finding = Finding::of(&path, payload.created_at, &statistics, asked.now);
        Some(Subject {
            payload,
            payloads,
            path,
            finding,
            truncated,
        })
    };
    let mut subjects = groups.into_iter().filter_map(subject);
    let Some(subject) = subjects.next() else {
        return Ok(None);
    };
    let older = subjects.collect();
    Ok(Some(Facts {
        kind,
        cause: cause(&subject, asked.now, db).await?,
        subject,
        older,
        others: matches
            .into_iter()
            .map(|(kind, ids)| (kind, ids.len()))
            .collect(),
        statistics,
        learnt: learning::learnt(db).await?,
    }))
}

/// By kind, in the order in which they are looked for.
async fn matches(
    asked: &Asked,
    db: &Transaction,
) -> Result<BTreeMap<IdKind, BTreeSet<i64>>, DbErr> {
    let values = [
        asked.request_ids.clone().into(),
        asked.host_ids.clone().into(),
        MOST_MATCHES.into(),
    ];
    let mut found: BTreeMap<IdKind, BTreeSet<i64>> = BTreeMap::new();
    for row in all::<Match>(MATCHES, values, db).await? {
        let kind = match row.kind {
            0 => IdKind::Request,
            1 => IdKind::Inventory,
            _ => IdKind::System,
        };
        found.entry(kind).or_default().insert(row.payload_id);
    }
    Ok(found)
}

/// By payload, the newest first; one more than `most` where there are more.
async fn statuses(
    payloads: &[payloads::Model],
    most: usize,
    db: &Transaction,
) -> Result<HashMap<i64, Vec<Status>>, DbErr> {
    let ids: Vec<i64> = payloads.iter().map(|payload| payload.id).collect();
    let days = days_of(payloads);
    let values = [
        ids.into(),
        (most as i64 + 1).into(),
        days.gte.into(),
        days.lt.into(),
    ];
    let rows: Vec<Row> = all(STATUSES, values, db).await?;
    let names: BTreeSet<i32> = rows.iter().map(|row| row.status_id).collect();
    let classes = learning::classes(names.into_iter().collect(), db).await?;
    let mut found: HashMap<i64, Vec<Status>> = HashMap::new();
    for row in rows {
        let class = classes.get(&row.status_id).copied();
        found.entry(row.payload_id).or_default().push(Status {
            id: row.id,
            step: Step {
                service: row.service_id,
                source: row.source_id,
            },
            name: row.status_id,
            class: class.unwrap_or(Class::Progress),
            date: row.date,
        });
    }
    Ok(found)
}

async fn cause(
    subject: &Subject,
    now: DateTime<Utc>,
    db: &Transaction,
) -> Result<Option<Cause>, DbErr> {
    if subject.finding.verdict != Verdict::Failed {
        return Ok(None);
    }
    let at = |stay: &&Stay| Some(stay.step()) == subject.finding.at;
    let Some(stay) = subject.path.stays().iter().find(at) else {
        return Ok(None);
    };
    let status = stay.last;
    let message = message(subject, status, db).await?;
    let fingerprint = Fingerprint::of(&message);
    let kind = Kind {
        service: status.step.service,
        fingerprint: fingerprint.hash,
    };
    let similar = failures::similar(kind, &subject.payloads, now, db).await?;
    Ok(Some(Cause {
        status,
        message,
        fingerprint,
        similar,
    }))
}

async fn message(subject: &Subject, status: Status, db: &Transaction) -> Result<String, DbErr> {
    let values: [Value; 4] = [
        subject.payloads.clone().into(),
        status.id.into(),
        status.date.into(),
        (MOST_READ as i32).into(),
    ];
    let rows: Vec<Message> = all(MESSAGE, values, db).await?;
    let message = rows.into_iter().next().and_then(|row| row.message);
    Ok(message.unwrap_or_default())
}

async fn all<T: FromQueryResult + Send + Sync>(
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
    db: &impl ConnectionTrait,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    T::find_by_statement(statement).all(db).await
}
