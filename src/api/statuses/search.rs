//! Finds a page of what matches, and counts it, without a look at every partition where that can be
//! spared: over 90 of them the planner alone takes longer than the few rows of most answers.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use sea_orm::{DbErr, EntityTrait, QuerySelect, Select};

use super::query::DATE_AHEAD_OF_STORED;
use crate::api::app::App;
use crate::api::list::COUNTED_TO;
use crate::api::params::PayloadFilter;
use crate::api::payload::days_of;
use crate::api::reading::ReadError;
use crate::store::entity::payload_statuses::{self, StatusQuery};
use crate::store::entity::{Capped, Span, count_capped, payloads};
use crate::store::lent::Transaction;

/// Statuses of up to so many payloads are looked up payload by payload.
const FEW: usize = 500;

/// How many days before the latest date are looked at first, and then, before all are.
const REACHES: [i64; 2] = [2, 16];

type Rows = Vec<payload_statuses::Model>;

pub type Statuses = Select<payload_statuses::Entity>;

/// Makes a page of what matches.
pub trait PageOf: Fn(Statuses) -> Statuses + Clone + Send + Sync + 'static {}

impl<P: Fn(Statuses) -> Statuses + Clone + Send + Sync + 'static> PageOf for P {}

/// What is looked for.
#[derive(Clone)]
pub struct Search<P> {
    /// What was said, whosever payload it was.
    pub said: Statuses,
    /// Whose payloads.
    pub of: PayloadFilter,
    /// Bounds on the date, which `said` has too.
    pub dates: Span,
    /// More of them, for the page.
    pub begins: Span,
    pub page: P,
    /// Rows of a full page, if the latest by date come first.
    pub latest_first: Option<u64>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub rows: Rows,
    /// Of the rows' payloads, by their ids.
    pub request_ids: HashMap<i64, String>,
    pub count: Capped,
}

impl<P: PageOf> Search<P> {
    /// # Errors
    /// [`ReadError`].
    pub async fn run(self, app: &App) -> Result<Found, ReadError> {
        if self.of != PayloadFilter::default() {
            let search = self.clone();
            let few = app
                .reader
                .look_up(move |session| Box::pin(search.clone().few(session)));
            if let Some(found) = few.await? {
                return Ok(found);
            }
        }
        let Some(matching) = self.of.clone().narrow(self.said.clone()) else {
            return Ok(Found::default());
        };
        let known = app.counts.known(&matching);
        let search = app.reader.read({
            let matching = matching.clone();
            move |session| Box::pin(self.clone().many(matching.clone(), known, session))
        });
        let found = search.await?;
        if known.is_none() {
            app.counts.learn(&matching, found.count);
        }
        Ok(found)
    }

    /// `None`: the payloads are not few.
    async fn few(self, session: &Transaction) -> Result<Option<Found>, DbErr> {
        let Some(payloads) = self.of.clone().narrow(payloads::Entity::find()) else {
            return Ok(Some(Found::default()));
        };
        let payloads = payloads.limit(FEW as u64 + 1).all(session).await?;
        if payloads.is_empty() {
            return Ok(Some(Found::default()));
        }
        if payloads.len() > FEW {
            return Ok(None);
        }
        let days = days_of(&payloads);
        let matching = |dates: &Span| {
            let dates = days.within(dates);
            let each = payloads
                .iter()
                .map(|payload| (payload.id, days_of([payload])));
            let then = each.filter(|(_, days)| days.meets(&dates));
            self.said.clone().dated_within(&dates).of_each(then)
        };
        let rows = self.rows(&days, matching, session).await?;
        let count = count_capped(matching(&days), COUNTED_TO, session).await?;
        let request_ids = payloads.into_iter().map(|p| (p.id, p.request_id));
        Ok(Some(Found {
            rows,
            request_ids: request_ids.collect(),
            count,
        }))
    }

    /// `known`: how many there are, unless that is to be counted.
    async fn many(
        self,
        matching: Statuses,
        known: Option<Capped>,
        session: &Transaction,
    ) -> Result<Found, DbErr> {
        let latest = |dates: &Span| matching.clone().dated_within(dates);
        let rows = self.rows(&self.dates, latest, session).await?;
        let ids = rows.iter().map(|row| row.payload_id);
        let request_ids = payloads::request_ids(ids, session).await?;
        let count = match known {
            Some(count) => count,
            None => count(matching, self.dates, session).await?,
        };
        Ok(Found {
            rows,
            request_ids,
            count,
        })
    }

    /// The page of what matches within `dates`.
    async fn rows(
        &self,
        dates: &Span,
        matching: impl Fn(&Span) -> Statuses,
        session: &Transaction,
    ) -> Result<Rows, DbErr> {
        if let Some(full) = self.latest_first {
            for latest in reaches(&dates.within(&self.dates).within(&self.begins)) {
                let rows = (self.page)(matching(&latest))
                    .shortened()
                    .all(session)
                    .await?;
                if rows.len() as u64 == full {
                    return Ok(rows);
                }
            }
        }
        let page = (self.page)(matching(&Span::default()));
        page.shortened().all(session).await
    }
}

/// Each piece of time once.
async fn count(matching: Statuses, dates: Span, session: &Transaction) -> Result<Capped, DbErr> {
    let mut counted = 0;
    let mut rest = Span::default();
    let pieces = reaches(&dates).map(Some).chain([None]);
    for latest in pieces {
        let piece = latest.map_or(rest, |latest| latest.within(&rest));
        let matching = matching.clone().dated_within(&piece);
        let found = count_capped(matching, COUNTED_TO - counted, session).await?;
        counted += found.count;
        if found.capped {
            return Ok(Capped {
                count: counted,
                capped: true,
            });
        }
        rest.lt = piece.gte;
    }
    Ok(Capped {
        count: counted,
        capped: false,
    })
}

/// Ever longer times before the latest of `dates`, without those that their beginning makes needless.
fn reaches(dates: &Span) -> impl Iterator<Item = Span> + use<> {
    // Nothing is dated later, but for what the Go tracker let in, which the first reaches too.
    let latest = Utc::now() + DATE_AHEAD_OF_STORED;
    let latest = dates.end().map_or(latest, |end| end.min(latest));
    let begin = dates.start();
    let from = REACHES
        .into_iter()
        .filter_map(move |days| midnight(latest).checked_sub_signed(TimeDelta::days(days)));
    from.filter(move |from| begin.is_none_or(|begin| begin < *from))
        .map(|from| Span {
            gte: Some(from),
            ..Span::default()
        })
}

/// Where its partition begins.
fn midnight(at: DateTime<Utc>) -> DateTime<Utc> {
    at.date_naive().and_time(NaiveTime::MIN).and_utc()
}
