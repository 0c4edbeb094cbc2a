//! `GET {mount}/statuses/live` and `GET {mount}/payloads/{request_id}/events`.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use sea_orm::{DbErr, EntityTrait};
use utoipa::ToSchema;

use super::Live;
use super::batch::{Batch, Event};
use super::listener::{BEAT, Joining, Listener};
use super::position::Position;
use super::presence::Line;
use super::query::LiveQuery;
use super::watch::Watch;
use crate::api::app::App;
use crate::api::params::{Asked, CreatedWithin, DatedWithin, ParentId, PayloadFilter, request_ids};
use crate::api::payload::days_of;
use crate::api::problem::{Problem, ProblemBody};
use crate::api::reading::ReadError;
use crate::store::entity::payload_statuses::{self, StatusQuery};
use crate::store::entity::payloads::{self, OfPayloads};
use crate::store::lent::Transaction;

/// How many statuses of a payload are told of first.
const FIRST: u64 = 1_000;

/// Proxies that collect answers before they pass them on leave those with it alone.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// The id of the last event that a client got before it was cut off.
pub struct LastEventId(Option<Position>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.headers.get("last-event-id");
        let Some(given) = given.filter(|given| !given.is_empty()) else {
            return Ok(Self(None));
        };
        let position = given.to_str().ok().and_then(Position::decode);
        let position = position.ok_or_else(|| {
            Problem::BadParameter(
                "Last-Event-ID is not the id of an event of this service: send one that you were given, or none"
                    .to_owned(),
            )
        })?;
        Ok(Self(Some(position)))
    }
}

/// One event of a stream.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents what is written piece by piece")]
struct LiveEvent {
    event: LiveEventKind,
    /// JSON: of `status` a row as `/statuses` lists it, of `position` nothing, of `skipped` and `end` the
    /// `reason`.
    #[schema(
        content_media_type = "application/json",
        example = r#"{"reason":"too slow"}"#
    )]
    data: String,
    /// Where the listener stands then. Left out of what has no place: the statuses so far of a payload.
    #[schema(
        required = false,
        nullable = false,
        example = "AsSt_JjBMwLvtZ22BQDnJACABe-1nbYFAdsGAOwO"
    )]
    id: Option<String>,
}

/// What an event tells.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "documents what is written piece by piece")]
enum LiveEventKind {
    Status,
    Position,
    Skipped,
    End,
}

/// Hear of statuses as they are committed
///
/// Server-sent events, each within a second of its status's commit. `status`: a row as `/statuses` lists
/// it; its id is where the listener stands. `position`: an id without a status. `skipped`: a listener came
/// back to more than can be told; the data says what was left out. `end`: the last event; its `reason` is
/// `too slow` or that the service stops. Comments in between are signs of life. Statuses of redriven rejects,
/// and those of the Go tracker, are not told of.
#[utoipa::path(
    get, path = "/statuses/live", tag = "statuses", operation_id = "listenToStatuses",
    params(
        LiveQuery, PayloadFilter, DatedWithin, CreatedWithin,
        ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "The id of the last event that arrived: the stream goes on after it. None: it begins now"),
    ),
    responses(
        (status = 200, description = "The stream", body = LiveEvent, content_type = "text/event-stream",
            example = "event: status\ndata: {\"request_id\":\"0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d\",\"status\":\"success\",\"id\":\"4711\",\"service\":\"puptoo\",\"source\":\"\",\"status_msg\":\"\",\"date\":\"2026-01-31T08:15:30.25Z\",\"created_at\":\"2026-01-31T08:15:30.5Z\"}\nid: AsSt_JjBMwLvtZ22BQDnJACABe-1nbYFAdsGAOwO\n\n"),
        (status = 400, description = "A parameter or Last-Event-ID is not what it has to be, or is of lists only", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn statuses(
    State(app): State<App>,
    Asked(query): Asked<LiveQuery>,
    LastEventId(came_from): LastEventId,
    line: Line,
) -> Result<Response, Problem> {
    let ear = app.live.listen(came_from.as_ref()).await?;
    let joining = Joining {
        ear,
        line,
        came_from,
    };
    let listener = Listener::new(app.live, Watch::All(Box::new(query)), joining, []);
    Ok(streamed(listener))
}

/// Watch a payload
///
/// Server-sent events: first the statuses so far, the oldest first, then each new one within a second of its
/// commit. Of more than 1,000 so far the newest. The events are those of `/statuses/live`.
#[utoipa::path(
    get, path = "/payloads/{request_id}/events", tag = "payloads", operation_id = "watchPayload",
    params(
        ("request_id" = String, Path, description = "Dashed or not, with blanks around it or not", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
        ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "The id of the last event that arrived: the stream goes on after it. None: it begins with the statuses so far"),
    ),
    responses(
        (status = 200, description = "The stream", body = LiveEvent, content_type = "text/event-stream",
            example = "event: status\ndata: {\"request_id\":\"0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d\",\"status\":\"success\",\"id\":\"4711\",\"service\":\"puptoo\",\"source\":\"\",\"status_msg\":\"\",\"date\":\"2026-01-31T08:15:30.25Z\",\"created_at\":\"2026-01-31T08:15:30.5Z\"}\n\n"),
        (status = 400, description = "Last-Event-ID is not what it has to be", body = ProblemBody),
        (status = 404, description = "No payload has this request id", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn payload(
    State(app): State<App>,
    ParentId(given): ParentId,
    LastEventId(came_from): LastEventId,
    line: Line,
) -> Result<Response, Problem> {
    let Some(forms) = request_ids(&given) else {
        app.metrics.invalid_request_ids.inc();
        return Err(Problem::PayloadNotFound(given));
    };
    let ear = app.live.listen(came_from.as_ref()).await?;
    let found = app.live.first(forms).await.map_err(ReadError::problem)?;
    let (ids, mut events) = found.ok_or(Problem::PayloadNotFound(given))?;
    if came_from.is_some() {
        events.clear();
    }
    // What is beyond is told in its turn.
    let position = &ear.told.position;
    events.retain(|event| position.is_past(event.origin, event.status.created_at.0));
    let joining = Joining {
        ear,
        line,
        came_from,
    };
    let listener = Listener::new(app.live, Watch::Payload(ids), joining, events);
    Ok(streamed(listener))
}

impl Live {
    /// The payload's ids, and its statuses so far; `None` if there is no such payload.
    async fn first(&self, forms: Vec<String>) -> Result<Option<(Vec<i64>, Vec<Event>)>, ReadError> {
        let shared = &self.0;
        // Never closed. Those who come back together leave sessions to the tailer.
        let _turn = shared.catching_up.acquire().await;
        let found = shared
            .reader
            .read(move |session| Box::pin(first_on(forms.clone(), session)))
            .await?;
        let Some((ids, batch)) = found else {
            return Ok(None);
        };
        let events = batch.named(&shared.names, &shared.reader).await?;
        Ok(Some((ids, events)))
    }
}

async fn first_on(
    forms: Vec<String>,
    session: &Transaction,
) -> Result<Option<(Vec<i64>, Batch)>, DbErr> {
    let found = payloads::Entity::find().requested_as(forms);
    let found = found.all(session).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let ids: Vec<i64> = found.iter().map(|payload| payload.id).collect();
    let mut newest = payload_statuses::of_payloads(ids.iter().copied())
        .dated_within(&days_of(&found))
        .newest(FIRST)
        .shortened()
        .all(session)
        .await?;
    newest.reverse();
    Ok(Some((ids, Batch::load(newest, session).await?)))
}

fn streamed(listener: Listener) -> Response {
    let events = listener.events().map(Ok::<_, Infallible>);
    let alive = KeepAlive::new().interval(BEAT / 2);
    ([UNBUFFERED], Sse::new(events).keep_alive(alive)).into_response()
}
