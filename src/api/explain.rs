//! `GET {mount}/explain/{id}`: where a payload is, whether it succeeded, and why not.

mod answer;
mod find;
mod tell;

use axum::Json;
use axum::extract::State;
use chrono::Utc;

use super::app::App;
use super::names::Ids;
use super::params::{PathId, host_ids, request_ids};
use super::problem::{Problem, ProblemBody};
use super::reading::ReadError;
use crate::explain::Step;

pub use answer::Explanation;
use find::{Asked, Facts};

/// Explain a payload
///
/// One sentence and its evidence, by plain rules: verdict, where it is and since when, why it failed
/// and how many others did, its path with how long each step usually takes, and what is still to
/// come. The id is looked for as a request id, then as an inventory id, then as a system id.
#[utoipa::path(
    get, path = "/explain/{id}", tag = "payloads", operation_id = "explain",
    params(
        ("id" = String, Path, description = "A request, inventory or system id, dashed or not, with blanks around it or not", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
    ),
    responses(
        (status = 200, description = "The explanation", body = Explanation),
        (status = 404, description = "No payload has this request, inventory or system id", body = ProblemBody),
        (status = 503, description = "The database does not answer now", body = ProblemBody),
    )
)]
pub async fn get(
    State(app): State<App>,
    PathId(given): PathId,
) -> Result<Json<Explanation>, Problem> {
    let now = Utc::now();
    let asked = Asked {
        request_ids: request_ids(&given).unwrap_or_default(),
        host_ids: host_ids(&given).unwrap_or_default(),
        now,
    };
    if asked.request_ids.is_empty() {
        app.metrics.invalid_request_ids.inc();
        return Err(Problem::PayloadNotFound(given));
    }
    let found = app
        .reader
        .look_up(move |session| Box::pin(find::find(asked.clone(), session)))
        .await
        .map_err(ReadError::problem)?;
    let facts = found.ok_or(Problem::PayloadNotFound(given))?;
    let names = app.names.of(ids(&facts), &app.reader).await;
    let names = names.map_err(ReadError::problem)?;
    Ok(Json(tell::explanation(facts, &names, now)))
}

/// What the facts name.
fn ids(facts: &Facts) -> Ids {
    let mut ids = Ids::default();
    let mut add = |step: Step| {
        ids.services.insert(step.service);
        ids.sources.extend(step.source);
    };
    let subjects = || std::iter::once(&facts.subject).chain(&facts.older);
    for subject in subjects() {
        let stays = subject.path.stays().iter();
        stays.for_each(|stay| add(stay.step()));
        let expected = subject.finding.expected.iter();
        expected.for_each(|one| add(one.awaited.step()));
    }
    let stays = subjects().flat_map(|subject| subject.path.stays());
    ids.statuses = stays.map(|stay| stay.last.name).collect();
    ids
}
