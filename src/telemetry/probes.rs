//! Is the process alive, and can it do its work? The same for both binaries.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::problem::{Problem, ProblemBody, method_not_allowed, route_not_found};

/// Says whether the process can do its work now, or why not, in one sentence without secrets.
///
/// It has to answer within a second or two: probes time out.
pub type ReadyCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a probe answers when all is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Well {
    #[schema(example = "ok")]
    status: &'static str,
}

const WELL: Json<Well> = Json(Well { status: "ok" });

/// `/live`, `/ready` and `/health`, with their part of the OpenAPI document.
pub fn routes(ready: ReadyCheck) -> OpenApiRouter {
    OpenApiRouter::default()
        .routes(routes!(live))
        .routes(routes!(is_ready))
        .routes(routes!(health))
        .with_state(ready)
}

/// `/live`, `/ready` and `/health`.
pub fn router(ready: ReadyCheck) -> Router {
    routes(ready).into()
}

/// Prometheus' text at `path`.
pub fn metrics_router(registry: Registry, path: &str) -> Router {
    Router::new().route(path, get(metrics)).with_state(registry)
}

/// What both binaries serve on `METRICSPORT`: probes and metrics, and errors in the one form.
pub fn side_router(ready: ReadyCheck, registry: Registry, metrics_path: &str) -> Router {
    router(ready)
        .merge(metrics_router(registry, metrics_path))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(route_not_found)
}

/// Does the process run?
#[utoipa::path(get, path = "/live", tag = "probes", operation_id = "live", responses((status = 200, description = "It does", body = Well)))]
async fn live() -> Json<Well> {
    WELL
}

/// Can the service answer?
#[utoipa::path(
    get, path = "/ready", tag = "probes", operation_id = "ready",
    responses(
        (status = 200, description = "It can", body = Well),
        (status = 503, description = "It cannot; the message says why", body = ProblemBody),
    )
)]
async fn is_ready(State(ready): State<ReadyCheck>) -> Result<Json<Well>, Problem> {
    ready().await.map(|()| WELL).map_err(Problem::Unavailable)
}

/// Can the service answer? The same as /ready.
#[utoipa::path(
    get, path = "/health", tag = "probes", operation_id = "health",
    responses(
        (status = 200, description = "It can", body = Well),
        (status = 503, description = "It cannot; the message says why", body = ProblemBody),
    )
)]
async fn health(ready: State<ReadyCheck>) -> Result<Json<Well>, Problem> {
    is_ready(ready).await
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            Problem::Internal.into_response()
        }
    }
}
