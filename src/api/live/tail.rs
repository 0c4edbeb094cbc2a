//! The one task that looks for what is new, while somebody listens.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QuerySelect, Select, Statement};
use tokio::time::{Instant, sleep};

use super::batch::{self, Batch, Chunk, pieces};
use super::lanes::{Lanes, Range};
use super::voice::{Told, Voice};
use super::{KEPT, Shared};
use crate::api::reading::ReadError;
use crate::store::entity::Span;
use crate::store::entity::payload_statuses::{self, StatusQuery};
use crate::store::lent::Transaction;

/// How often the offsets are looked at. A status is told of within 1 s of its commit.
const LOOK: Duration = Duration::from_millis(200);

/// How many statuses are taken at once. What is beyond is taken at once after them.
const MOST_ROWS: u64 = 5_000;

/// How far back a status may be dated to be found without looking at every day.
const DATED_LATE: TimeDelta = TimeDelta::seconds(30);

/// How often in a row a look may take too long.
const MOST_TOO_SLOW: u32 = 2;

/// Listeners get this long to take what they were sent before they are sent more than half of what is
/// kept for them.
const BREATH: Duration = Duration::from_millis(5);
const BREATHS: u32 = 20;

/// What listeners hear is found by this.
pub struct Tailer {
    pub shared: Arc<Shared>,
    pub voice: Voice,
}

impl Tailer {
    /// Looks until nobody listens any more, or until what is new cannot be found in time: that has become no
    /// less by the next look. Listeners then come back, and are told what they missed in smaller pieces.
    pub async fn run(self) {
        let mut seen: Option<Arc<Lanes>> = None;
        let mut number = 0;
        let mut is_failing = false;
        let mut too_slow = 0;
        while !self.shared.ends_unheard(&self.voice) {
            let began = Instant::now();
            match self.look(&mut seen, &mut number).await {
                Ok(is_cut) => {
                    (is_failing, too_slow) = (false, 0);
                    if is_cut {
                        continue;
                    }
                }
                Err(ReadError::TooSlow) if too_slow == MOST_TOO_SLOW => {
                    tracing::error!(
                        "what is new takes the database too long to find: listeners are ended"
                    );
                    return;
                }
                Err(error) => {
                    too_slow += u32::from(matches!(error, ReadError::TooSlow));
                    if !is_failing {
                        tracing::warn!(%error, "listeners wait for the database");
                    }
                    is_failing = true;
                }
            }
            // Of a database that is slow to answer no more than half the time is taken.
            sleep(LOOK.max(began.elapsed())).await;
        }
    }

    /// Tells what is new since `seen`; true if there is more.
    async fn look(
        &self,
        seen: &mut Option<Arc<Lanes>>,
        number: &mut u64,
    ) -> Result<bool, ReadError> {
        let (before, reader) = (seen.clone(), &self.shared.reader);
        let news = reader
            .read(move |session| Box::pin(news(before.clone(), session)))
            .await?;
        let after = Arc::new(news.after.position());
        if let Some(before) = seen
            && !news.ranges.is_empty()
        {
            let events = news.batch.named(&self.shared.names, reader).await?;
            let mut position = before.position().by(&after);
            let mut pieces = pieces(events).into_iter().peekable();
            while let Some(mut events) = pieces.next() {
                batch::number(&mut events, &news.ranges, &mut position);
                let is_last = pieces.peek().is_none();
                *number += 1;
                let chunk = Chunk {
                    number: *number,
                    events,
                    after: if is_last {
                        Arc::clone(&after)
                    } else {
                        Arc::new(position.clone())
                    },
                };
                self.voice.tell(chunk);
                if !is_last {
                    self.let_listeners_breathe().await;
                }
            }
        }
        self.voice.stand(Told {
            number: *number,
            position: after,
        });
        *seen = Some(Arc::new(news.after));
        Ok(news.is_cut)
    }

    async fn let_listeners_breathe(&self) {
        for _ in 0..BREATHS {
            if self.voice.waiting() <= KEPT / 2 {
                return;
            }
            sleep(BREATH).await;
        }
    }
}

/// What a look at the database found.
struct News {
    /// Where whoever has seen `batch` stands.
    after: Lanes,
    /// What `batch` was taken from.
    ranges: Vec<Range>,
    batch: Batch,
    /// There is more.
    is_cut: bool,
}

/// The offsets are read first: what they say is committed, the next statement sees.
async fn news(before: Option<Arc<Lanes>>, session: &Transaction) -> Result<News, DbErr> {
    let at = now(session).await?;
    let lanes = Lanes::read(at, before.as_deref(), session).await?;
    let ranges = before.as_ref().map(|before| before.until(&lanes));
    let ranges = ranges.unwrap_or_default();
    let Some(before) = before.filter(|_| !ranges.is_empty()) else {
        return Ok(News {
            after: lanes,
            ranges,
            batch: Batch::default(),
            is_cut: false,
        });
    };
    let rows = rows(&before, &lanes, &ranges, session).await?;
    let is_cut = rows.len() as u64 == MOST_ROWS;
    let after = if is_cut {
        let told: Vec<_> = rows
            .iter()
            .filter_map(payload_statuses::Model::origin)
            .collect();
        before.on_the_way(&lanes, &ranges, &told)
    } else {
        lanes
    };
    Ok(News {
        after,
        batch: Batch::load(rows, session).await?,
        is_cut,
        ranges,
    })
}

/// Statuses of `ranges` in their order, at most `MOST_ROWS`.
///
/// Nearly all are dated when they are stored, and an index finds these. By the lanes' counters it is known
/// whether these are all; only if not, the others are looked for on every day.
async fn rows(
    before: &Lanes,
    now: &Lanes,
    ranges: &[Range],
    session: &Transaction,
) -> Result<Vec<payload_statuses::Model>, DbErr> {
    let expected: i64 = ranges.iter().map(|range| range.expected).sum();
    let origins: Vec<_> = ranges.iter().map(|range| range.origins).collect();
    let all = payload_statuses::Entity::find().coming_from(&origins);
    let first = |some: Select<payload_statuses::Entity>| {
        some.in_order_of_origin().limit(MOST_ROWS).shortened()
    };
    if (1..=MOST_ROWS as i64).contains(&expected) {
        let updated = ranges
            .iter()
            .filter_map(|range| now.stored.get(&range.lane));
        let stored = updated
            .map(|lane| lane.mark.moved)
            .fold(before.at, Ord::min);
        let recent = all
            .clone()
            .dated_within(&from(stored - DATED_LATE))
            .stored_within(&from(stored - DATED_LATE));
        let rows = first(recent).all(session).await?;
        if rows.len() as i64 == expected {
            return Ok(rows);
        }
    }
    if expected == 0 {
        return Ok(Vec::new());
    }
    let since = origins.iter().filter_map(|origins| origins.after).min();
    let since = since.map(from).unwrap_or_default();
    first(all.stored_within(&since)).all(session).await
}

fn from(at: DateTime<Utc>) -> Span {
    Span {
        gte: Some(at),
        ..Span::default()
    }
}

async fn now(session: &Transaction) -> Result<DateTime<Utc>, DbErr> {
    let asked = Statement::from_string(DbBackend::Postgres, "SELECT now()");
    let row = session.query_one_raw(asked).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("now()".to_owned()))?
        .try_get_by_index(0)
}
