//! `GET {mount}/rejects/{id}`: everything that is kept of one message that did not become a status.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{DbErr, EntityTrait};
use serde::Serialize;
use utoipa::ToSchema;

use super::app::App;
use super::params::{PathId, digits};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use super::rejects::reason_schema;
use super::render::Instant;
use crate::store::entity::{redrives, rejects};
use crate::store::lent::Transaction;

/// A message that did not become a status, whole. What is absent is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectDetails {
    #[schema(example = 17)]
    id: i64,
    #[schema(example = "platform.payload-status")]
    topic: String,
    #[schema(example = 3)]
    partition: i32,
    #[schema(example = 190_325)]
    offset: i64,
    /// The message's key; usually it has none.
    key: Option<Bytes>,
    /// The message; null for a tombstone.
    value: Option<Bytes>,
    #[schema(schema_with = reason_schema)]
    reason: String,
    /// Names the field, what was found and what is allowed.
    #[schema(example = "org_id is missing, null or empty, but it is required")]
    detail: String,
    /// With what code the database refused it, if it did.
    #[schema(example = json!(null))]
    sqlstate: Option<String>,
    /// What could be read of it.
    #[schema(example = "inventory-mq-service")]
    service: Option<String>,
    /// What could be read of it, in canonical form.
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    request_id: Option<String>,
    /// Kafka's timestamp; null for what was rejected before that was kept.
    produced_at: Option<Instant>,
    /// When it was stored as a reject.
    received_at: Instant,
    /// When it became a status after all; null while it has not.
    redriven_at: Option<Instant>,
    /// What was done about it, in the order in which it happened.
    redrives: Vec<Redrive>,
}

/// Bytes as they came.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bytes {
    /// As text; null where they are not UTF-8.
    #[schema(example = r#"{"service":"inventory-mq-service"}"#)]
    text: Option<String>,
    /// Padded, of the standard alphabet.
    #[schema(example = "eyJzZXJ2aWNlIjoiaW52ZW50b3J5LW1xLXNlcnZpY2UifQ==")]
    base64: String,
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            base64: STANDARD.encode(&bytes),
            text: String::from_utf8(bytes).ok(),
        }
    }
}

/// An attempt to store it after all.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redrive {
    at: Instant,
    /// Who did it.
    #[schema(example = "jdoe")]
    by: String,
    /// `stored`, or the reason for which it was rejected once more.
    #[schema(example = "stored")]
    outcome: String,
    /// Why it was rejected once more, else null.
    #[schema(example = json!(null))]
    detail: Option<String>,
    /// What was sent through instead of `value`; null where it went as it was.
    edited: Option<Bytes>,
}

impl From<redrives::Model> for Redrive {
    fn from(row: redrives::Model) -> Self {
        Self {
            at: Instant(row.at),
            by: row.by,
            outcome: row.outcome,
            detail: row.detail,
            edited: row.edited.map(Bytes::from),
        }
    }
}

impl RejectDetails {
    fn new(row: rejects::Model, redrives: Vec<redrives::Model>) -> Self {
        Self {
            id: row.id,
            topic: row.topic,
            partition: row.partition,
            offset: row.offset,
            key: row.key.map(Bytes::from),
            value: row.value.map(Bytes::from),
            reason: row.reason,
            detail: row.detail,
            sqlstate: row.sqlstate,
            service: row.service,
            request_id: row.request_id,
            produced_at: row.produced_at.map(Instant),
            received_at: Instant(row.received_at),
            redriven_at: row.redriven_at.map(Instant),
            redrives: redrives.into_iter().map(Redrive::from).collect(),
        }
    }
}

/// Look at a reject
///
/// The whole message, why it was rejected, and what was done about it.
#[utoipa::path(
    get, path = "/rejects/{id}", tag = "rejects", operation_id = "getReject",
    params(("id" = i64, Path, description = "The reject's id", example = 17)),
    responses(
        (status = 200, description = "The reject", body = RejectDetails),
        (status = 404, description = "No reject has this id, or no longer", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    PathId(given): PathId,
) -> Result<Json<RejectDetails>, Problem> {
    let Some(id) = digits(given.trim()) else {
        return Err(Problem::RejectNotFound(given));
    };
    let found = app
        .reader
        .look_up(move |session| Box::pin(find(id, session)))
        .await
        .map_err(ReadError::problem)?;
    found.map(Json).ok_or(Problem::RejectNotFound(given))
}

async fn find(id: i64, session: &Transaction) -> Result<Option<RejectDetails>, DbErr> {
    let Some(row) = rejects::Entity::find_by_id(id).one(session).await? else {
        return Ok(None);
    };
    let redrives = redrives::of_reject(id).all(session).await?;
    Ok(Some(RejectDetails::new(row, redrives)))
}
