//! `GET {mount}/accounting`: where every message went.

use std::collections::HashMap;
use std::time::Instant as Clock;

use axum::Json;
use axum::extract::State;
use sea_orm::{DbErr, EntityTrait};
use serde::Serialize;
use utoipa::ToSchema;

use super::app::App;
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use super::render::Instant;
use crate::store::entity::{consumer_offsets, redriven_counts};
use crate::store::lent::Transaction;

/// What became of every offset, and whether that adds up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accounting {
    /// What the answer took, seconds.
    #[schema(example = 0.0021)]
    elapsed: f64,
    /// Each topic-partition that was ever read, by topic and partition.
    data: Vec<LaneAccount>,
    totals: Account,
    /// Rejects that became statuses after all (`pt rejects redrive`). They stay counted as rejected,
    /// and in no other number: everything else here is what consumption did.
    #[schema(example = 12)]
    redriven: i64,
}

/// What became of the offsets of one topic-partition.
#[derive(Debug, Serialize, ToSchema)]
pub struct LaneAccount {
    #[schema(example = "platform.payload-status")]
    topic: String,
    #[schema(example = 3)]
    partition: i32,
    /// Where reading began.
    #[schema(example = 100)]
    first_offset: i64,
    /// Where it goes on.
    #[schema(example = 1_110)]
    next_offset: i64,
    #[serde(flatten)]
    account: Account,
    /// Of those rejected, how many became statuses after all.
    #[schema(example = 12)]
    redriven: i64,
    /// When it was last moved.
    updated_at: Instant,
}

/// Counted offsets.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Account {
    /// Offsets passed: `next_offset - first_offset`.
    #[schema(example = 1_010)]
    passed: i64,
    /// Messages that became a status.
    #[schema(example = 980)]
    stored: i64,
    /// Messages that became a reject.
    #[schema(example = 20)]
    rejected: i64,
    /// Offsets that held no message: transaction markers, what compaction removed, gaps.
    #[schema(example = 10)]
    skipped: i64,
    /// Of those skipped, how many the log no longer held when they were to be read.
    #[schema(example = 0)]
    gap: i64,
    /// Whether stored + rejected + skipped = passed.
    #[schema(example = true)]
    adds_up: bool,
}

impl Account {
    fn of(row: &consumer_offsets::Model) -> Self {
        Self {
            passed: row.next_offset - row.first_offset,
            stored: row.stored,
            rejected: row.rejected,
            skipped: row.skipped,
            gap: row.gap,
            adds_up: false,
        }
        .judged()
    }

    /// Of several: they add up only if each does.
    fn total(rows: &[LaneAccount]) -> Self {
        let sum = |of: fn(&Self) -> i64| rows.iter().map(|row| of(&row.account)).sum();
        Self {
            passed: sum(|a| a.passed),
            stored: sum(|a| a.stored),
            rejected: sum(|a| a.rejected),
            skipped: sum(|a| a.skipped),
            gap: sum(|a| a.gap),
            adds_up: rows.iter().all(|row| row.account.adds_up),
        }
    }

    fn judged(self) -> Self {
        Self {
            adds_up: self.stored + self.rejected + self.skipped == self.passed,
            ..self
        }
    }
}

/// Account for every message
///
/// For each topic-partition: what was read, and what became of it.
#[utoipa::path(
    get, path = "/accounting", tag = "rejects", operation_id = "getAccounting",
    responses(
        (status = 200, description = "The account", body = Accounting),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(State(app): State<App>) -> Result<Json<Accounting>, Problem> {
    let asked = Clock::now();
    let (offsets, redriven) = app
        .reader
        .read(|session| Box::pin(rows(session)))
        .await
        .map_err(ReadError::problem)?;
    Ok(Json(answer(offsets, redriven, asked)))
}

type Rows = (Vec<consumer_offsets::Model>, Vec<redriven_counts::Model>);

async fn rows(session: &Transaction) -> Result<Rows, DbErr> {
    let offsets = consumer_offsets::all().all(session).await?;
    let redriven = redriven_counts::Entity::find().all(session).await?;
    Ok((offsets, redriven))
}

fn answer(
    offsets: Vec<consumer_offsets::Model>,
    redriven: Vec<redriven_counts::Model>,
    asked: Clock,
) -> Accounting {
    let total_redriven = redriven.iter().map(|row| row.redriven).sum();
    let by_lane: HashMap<(String, i32), i64> = redriven
        .into_iter()
        .map(|row| ((row.topic, row.partition), row.redriven))
        .collect();
    let data: Vec<LaneAccount> = offsets
        .into_iter()
        .map(|row| {
            let account = Account::of(&row);
            let lane = (row.topic, row.partition);
            LaneAccount {
                redriven: by_lane.get(&lane).copied().unwrap_or_default(),
                topic: lane.0,
                partition: lane.1,
                first_offset: row.first_offset,
                next_offset: row.next_offset,
                account,
                updated_at: Instant(row.updated_at),
            }
        })
        .collect();
    Accounting {
        elapsed: asked.elapsed().as_secs_f64(),
        totals: Account::total(&data),
        data,
        redriven: total_redriven,
    }
}
