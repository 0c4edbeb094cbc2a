use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sqlx::{self, PgTransaction};

use super::Skew;
use crate::status::{Field, Message, Reason, Reject};
use crate::store::batch::{Lane, Part, Raw};

/// Different services an hour that only rejects name, beyond which they are counted without a name.
/// Services of statuses are limited by `MAX_NAMES`; what a reject calls its service is limited by
/// nothing, and a bug may put an id there.
const FOREIGN_SERVICES: usize = 1_000;

/// Kafka's timestamp may be the producer's own, thus anything. Within this it is believed, else the
/// moment of storing takes its place: the report does not reach back further.
const BELIEVED: TimeDelta = TimeDelta::days(30);

/// Seconds.
const HOUR: i64 = 3_600;

/// An hour, counted from the epoch, of a service; `""` where no service could be read. Numbers, as this is
/// asked for each message.
type Key<'a> = (i64, &'a str);

#[derive(Default)]
struct Counts {
    messages: i64,
    missing_org_id: i64,
    skew: Skew,
}

const KNOWN: &str = "SELECT hour, service FROM producer_hours WHERE hour = ANY($1)";

/// A row that is new to the judge, or new to him again.
const COUNT: &str = "
INSERT INTO producer_hours AS p (hour, service, messages, missing_org_id, skew)
SELECT hour, service, messages, missing_org_id, skew::bigint[]
  FROM unnest($1::timestamptz[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
       AS n(hour, service, messages, missing_org_id, skew)
ON CONFLICT (hour, service) DO UPDATE SET
       messages = p.messages + excluded.messages,
       missing_org_id = p.missing_org_id + excluded.missing_org_id,
       skew = (SELECT array_agg(coalesce(old, 0) + coalesce(new, 0) ORDER BY bucket)
                 FROM unnest(p.skew, excluded.skew) WITH ORDINALITY AS s(old, new, bucket)),
       touched = p.touched + 1,
       stale = true";

const COUNT_REJECTS: &str = "
INSERT INTO reject_hours AS r (hour, service, reason, count)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::bigint[])
ON CONFLICT (hour, service, reason) DO UPDATE SET count = r.count + excluded.count";

/// Counts the messages of `parts` for the report on producers.
///
/// To be the transaction's last statement: consumers share these rows, and whoever comes second
/// waits until the first has committed. They are taken in order, so that nobody waits in a circle.
///
/// # Errors
///
/// What the database answers.
pub async fn count(
    transaction: &mut PgTransaction<'_>,
    parts: &[(Lane, &Part)],
) -> Result<(), sqlx::Error> {
    let now = Utc::now();
    let mut tally = Tally::default();
    for (_, part) in parts {
        for stored in &part.stored {
            tally.stored(&stored.message, &stored.raw, now);
        }
        for rejected in &part.rejected {
            tally.rejected(&rejected.reject, &rejected.raw, now);
        }
    }
    tally.forget_names_beyond_limit(transaction).await?;
    tally.write(transaction).await
}

/// Has the hours of `messages` judged once more, without counting anything: statuses came to
/// them in another way than from Kafka.
///
/// # Errors
///
/// What the database answers.
pub async fn reopen(
    transaction: &mut PgTransaction<'_>,
    messages: impl Iterator<Item = &Message>,
) -> Result<(), sqlx::Error> {
    let mut tally = Tally::default();
    for message in messages {
        let key = (number(message.date), message.service.as_str());
        tally.hours.entry(key).or_default();
    }
    tally.write(transaction).await
}

/// Each statement with no rows at all.
///
/// # Errors
///
/// What the database answers.
pub async fn rehearse(transaction: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
    let nothing = Tally::default();
    nothing.write_rejects(transaction).await?;
    nothing.write_hours(transaction).await
}

fn number(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(HOUR)
}

fn beginning(number: i64) -> DateTime<Utc> {
    // It was that of a date.
    DateTime::from_timestamp(number * HOUR, 0).unwrap_or_default()
}

fn number_of_record(raw: &Raw, now: DateTime<Utc>) -> i64 {
    let believed = raw
        .produced_at
        .filter(|at| *at <= now && now.signed_duration_since(at) <= BELIEVED);
    number(believed.unwrap_or(now))
}

#[derive(Default)]
struct Tally<'a> {
    hours: HashMap<Key<'a>, Counts>,
    rejects: BTreeMap<(Key<'a>, Reason), i64>,
    /// Services of statuses.
    ours: BTreeSet<&'a str>,
}

impl<'a> Tally<'a> {
    fn stored(&mut self, message: &'a Message, raw: &Raw, now: DateTime<Utc>) {
        let hour = number_of_record(raw, now);
        let service = message.service.as_str();
        let counts = self.hours.entry((hour, service)).or_insert_with(|| {
            self.ours.insert(service);
            Counts::default()
        });
        counts.messages += 1;
        counts.missing_org_id += i64::from(message.org_id.is_none());
        if let Some(produced_at) = raw.produced_at {
            counts
                .skew
                .add(produced_at.signed_duration_since(message.date));
        }
        // It is judged in the hour of its date, which may have been judged already.
        let judged = number(message.date);
        if judged != hour {
            self.hours.entry((judged, service)).or_default();
        }
    }

    fn rejected(&mut self, reject: &'a Reject, raw: &Raw, now: DateTime<Utc>) {
        let key = (
            number_of_record(raw, now),
            reject.service.as_deref().unwrap_or_default(),
        );
        let counts = self.hours.entry(key).or_default();
        counts.messages += 1;
        counts.missing_org_id += i64::from(is_missing_org_id(reject));
        *self.rejects.entry((key, reject.reason)).or_default() += 1;
    }

    /// See [`FOREIGN_SERVICES`].
    async fn forget_names_beyond_limit(
        &mut self,
        transaction: &mut PgTransaction<'_>,
    ) -> Result<(), sqlx::Error> {
        let foreign: BTreeSet<Key<'a>> = self
            .rejects
            .keys()
            .map(|(key, _)| *key)
            .filter(|(_, service)| !service.is_empty() && !self.ours.contains(service))
            .collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let hours: BTreeSet<i64> = foreign.iter().map(|(hour, _)| *hour).collect();
        let known: Vec<(DateTime<Utc>, String)> = sqlx::query_as(KNOWN)
            .bind(hours.into_iter().map(beginning).collect::<Vec<_>>())
            .fetch_all(&mut **transaction)
            .await?;
        let mut known: HashMap<i64, BTreeSet<String>> =
            known
                .into_iter()
                .fold(HashMap::new(), |mut hours, (hour, service)| {
                    hours.entry(number(hour)).or_default().insert(service);
                    hours
                });
        for key in foreign {
            let (hour, service) = key;
            let known = known.entry(hour).or_default();
            if known.contains(service) {
                continue;
            }
            if known.len() < FOREIGN_SERVICES {
                known.insert(service.to_owned());
            } else {
                self.forget_name(key);
            }
        }
        Ok(())
    }

    fn forget_name(&mut self, key: Key<'a>) {
        let nameless = (key.0, "");
        if let Some(counts) = self.hours.remove(&key) {
            // Only of rejects, which have no skew: their date may be no date.
            let all = self.hours.entry(nameless).or_default();
            all.messages += counts.messages;
            all.missing_org_id += counts.missing_org_id;
        }
        for reason in Reason::ALL {
            if let Some(count) = self.rejects.remove(&(key, reason)) {
                *self.rejects.entry((nameless, reason)).or_default() += count;
            }
        }
    }

    async fn write(&self, transaction: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
        if !self.rejects.is_empty() {
            self.write_rejects(transaction).await?;
        }
        if !self.hours.is_empty() {
            self.write_hours(transaction).await?;
        }
        Ok(())
    }

    async fn write_hours(&self, transaction: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
        let mut rows: Vec<(&Key<'_>, &Counts)> = self.hours.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        sqlx::query(COUNT)
            .bind(
                rows.iter()
                    .map(|(key, _)| beginning(key.0))
                    .collect::<Vec<_>>(),
            )
            .bind(rows.iter().map(|(key, _)| key.1).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, c)| c.messages).collect::<Vec<_>>())
            .bind(
                rows.iter()
                    .map(|(_, c)| c.missing_org_id)
                    .collect::<Vec<_>>(),
            )
            .bind(
                rows.iter()
                    .map(|(_, c)| c.skew.literal())
                    .collect::<Vec<_>>(),
            )
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn write_rejects(&self, transaction: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
        let keys = || self.rejects.keys();
        sqlx::query(COUNT_REJECTS)
            .bind(
                keys()
                    .map(|((hour, _), _)| beginning(*hour))
                    .collect::<Vec<_>>(),
            )
            .bind(keys().map(|((_, service), _)| *service).collect::<Vec<_>>())
            .bind(
                keys()
                    .map(|(_, reason)| reason.as_str())
                    .collect::<Vec<_>>(),
            )
            .bind(self.rejects.values().copied().collect::<Vec<_>>())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}

/// The detail of a reject begins with the field it is about. With several defects only the first
/// is named, so that a reject without org_id may be counted under another.
fn is_missing_org_id(reject: &Reject) -> bool {
    reject.reason == Reason::MissingField
        && reject.detail.split(' ').next() == Some(Field::OrgId.name())
}
