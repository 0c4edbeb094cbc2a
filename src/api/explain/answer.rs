//! What an explanation looks like.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::render::Instant;
use crate::explain::{Class, Verdict};

/// What an id is, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub enum IdKind {
    #[serde(rename = "request_id")]
    Request,
    #[serde(rename = "inventory_id")]
    Inventory,
    #[serde(rename = "system_id")]
    System,
}

/// The first of these that holds.
///
/// - `failed`: a step's class is failure.
/// - `stuck`: a step still in progress, or a follower that is due, is past its p95.
/// - `succeeded`: every step's class is success and nothing is due; and, where fewer than 20 payloads
///   were at one of its steps in the last 7 days, more than one service has spoken.
/// - `unknown`: nothing happened for 24 hours.
/// - `in_progress`: everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Verdict)]
pub enum VerdictWord {
    Failed,
    Stuck,
    Succeeded,
    Unknown,
    InProgress,
}

impl From<Verdict> for VerdictWord {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Failed => Self::Failed,
            Verdict::Stuck => Self::Stuck,
            Verdict::Succeeded => Self::Succeeded,
            Verdict::Unknown => Self::Unknown,
            Verdict::InProgress => Self::InProgress,
        }
    }
}

/// What a status name means; table `status_classes` lists them, every other name is progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Class)]
pub enum ClassWord {
    Progress,
    Success,
    Failure,
}

impl From<Class> for ClassWord {
    fn from(class: Class) -> Self {
        match class {
            Class::Progress => Self::Progress,
            Class::Success => Self::Success,
            Class::Failure => Self::Failure,
        }
    }
}

/// A service and, where it named one, a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Step)]
pub struct StepName {
    #[schema(example = "puptoo")]
    pub service: String,
    #[schema(example = "inventory")]
    pub source: Option<String>,
}

/// The payload as it is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedPayload {
    #[schema(example = 4711)]
    pub id: i64,
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    pub request_id: String,
    #[schema(example = "540155")]
    pub account: Option<String>,
    #[schema(example = "1979710")]
    pub org_id: Option<String>,
    #[schema(example = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a")]
    pub inventory_id: Option<String>,
    #[schema(example = "c0ffee00-1234-4321-8abc-0123456789ab")]
    pub system_id: Option<String>,
    /// The date of its first status.
    pub created_at: Instant,
}

/// How something compares with what it took other payloads in the last 7 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// No longer than half of them.
    WithinP50,
    /// No longer than 95 % of them.
    WithinP95,
    /// Longer.
    PastP95,
}

/// What it took other payloads in the last 7 days, seconds; at most an eighth off.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usual {
    #[schema(example = 1.2)]
    pub p50: f64,
    #[schema(example = 4.8)]
    pub p95: f64,
    /// Payloads it is read from, 20 or more.
    #[schema(example = 1834)]
    pub samples: i64,
    /// How this payload compares.
    pub compared: Compared,
}

/// A step of the payload.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathStep {
    #[serde(flatten)]
    pub step: StepName,
    /// The last status.
    #[schema(example = "success")]
    pub status: String,
    /// Of the last status.
    pub class: ClassWord,
    /// How many statuses there are of the step.
    #[schema(example = 3)]
    pub statuses: usize,
    /// Date of the first status.
    pub entered: Instant,
    /// Date of the last status.
    pub left: Instant,
    /// From entered to left, seconds.
    #[schema(example = 2.25)]
    pub took: f64,
    /// Of the payloads for which the step ended, in success or failure. A step still in progress is
    /// compared by the time since it was entered. Null: fewer than 20.
    pub took_usually: Option<Usual>,
    /// From when the step above was left to when this one was entered, seconds; 0 where they
    /// overlap, null for the first.
    #[schema(example = 0.4)]
    pub waited: Option<f64>,
    /// Of the payloads that were at the step above and entered this one later. Null: fewer than 20.
    pub waited_usually: Option<Usual>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Await {
    /// That the step ends.
    End,
    /// That the payload enters the step.
    Entry,
}

/// Something that is still to come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Expected {
    #[serde(flatten)]
    pub step: StepName,
    /// Whether the step is to end, or to be entered.
    pub what: Await,
    /// The step that it follows; null where it is to end.
    pub after: Option<StepName>,
    /// Payloads of the last 7 days that did so.
    #[schema(example = 1830)]
    pub samples: i64,
    /// How long it takes half of them, seconds.
    #[schema(example = 1.2)]
    pub p50: f64,
    /// How long it takes 95 % of them, seconds.
    #[schema(example = 4.8)]
    pub p95: f64,
    /// Since when it is waited for; null while the step before it goes on.
    pub since: Option<Instant>,
    /// since + p95.
    pub by: Option<Instant>,
    /// How long past that it is, seconds; null if it is not.
    #[schema(example = 243.5)]
    pub overdue: Option<f64>,
}

/// Other payloads that failed in the same way: same service, same fingerprint.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimilarFailures {
    /// Other payloads that first failed so within the last hour, to the minute.
    #[schema(example = 12)]
    pub payloads_last_hour: i64,
    /// Since when there is this failure, as far as it is remembered: 7 days after it was last seen.
    pub first_seen: Instant,
    pub last_seen: Instant,
}

/// Why it failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Why {
    #[serde(flatten)]
    pub step: StepName,
    /// The status of the step that failed last.
    #[schema(example = "error")]
    pub status: String,
    /// When it happened.
    pub date: Instant,
    /// What it said, up to 16,384 characters.
    #[schema(example = "cannot open /tmp/insights-1.tar.gz: no space left, 12 kB needed")]
    pub message: String,
    /// The message with ids, numbers, paths and quoted values replaced, up to 300 characters.
    #[schema(example = "cannot open <path>: no space left, <n> kB needed")]
    pub fingerprint: String,
    /// Of the whole fingerprint, as `/failures` names it.
    #[schema(example = "5f0c0b7d9a3e1c24")]
    pub fingerprint_id: String,
    /// Null until the failure is counted, which takes some seconds.
    pub similar: Option<SimilarFailures>,
}

/// One of the latest payloads of a host.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatestPayload {
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    pub request_id: String,
    pub created_at: Instant,
    pub verdict: VerdictWord,
    /// The step it is at; null without statuses.
    pub at: Option<StepName>,
    pub since: Instant,
}

/// What the id is besides.
#[derive(Debug, Serialize, ToSchema)]
pub struct OtherMatch {
    pub kind: IdKind,
    /// How many payloads it finds so, counted up to 100.
    #[schema(example = 3)]
    pub payloads: usize,
}

/// What p50, p95 and samples rest on.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatisticsOf {
    pub computed_at: Instant,
    /// The beginning of the first hour: 7 days before.
    pub since: Instant,
    /// Payloads they are read from: all but those of the last 10 minutes, of a busy minute the first
    /// thousand.
    #[schema(example = 120_345)]
    pub payloads: i64,
}

/// Where a payload is, whether it succeeded, and if not, why: one sentence and its evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// In one sentence.
    #[schema(
        example = "It is stuck before inventory: it left puptoo at 2026-01-31T08:15:30Z, 95 % go on within 4.8 s, it is 4 min 3 s past that."
    )]
    pub summary: String,
    pub verdict: VerdictWord,
    /// What the id was found as.
    pub matched: IdKind,
    /// The payload that is explained: of a host its latest.
    pub payload: ExplainedPayload,
    /// The step it is at: failed, the one that failed last; stuck, the one that does not end, or the
    /// one after which nothing came; else the one that spoke last. Null without statuses.
    pub at: Option<StepName>,
    /// Stuck between two steps: the one that was to be entered.
    pub before: Option<StepName>,
    /// Failed: when; stuck: since when it is waited; in progress: since when it is at the step; else
    /// when its last status happened.
    pub since: Instant,
    /// Of a payload that failed.
    pub why: Option<Why>,
    /// Its steps in the order in which they were entered.
    pub path: Vec<PathStep>,
    /// What is still to come, the earliest first; nothing once it failed.
    pub expected: Vec<Expected>,
    /// Of a host: its latest payloads, up to 10, the latest first. Else empty.
    pub payloads: Vec<LatestPayload>,
    /// What the id is besides.
    pub other_matches: Vec<OtherMatch>,
    /// The moment that this is true at.
    pub as_of: Instant,
    /// Null before there are any.
    pub statistics: Option<StatisticsOf>,
    /// There are more statuses than the 10,000 (of a host's payloads 1,000) newest, which this rests on; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    pub truncated: bool,
}
