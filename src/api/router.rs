//! Which path is answered by what.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::app::App;
use super::problem::{method_not_allowed, route_not_found};
use super::{
    accounting, archive, explain, failures, kibana, live, middleware, openapi, payload, payloads,
    producers, reject, rejects, stats, statuses, stuck, trace,
};
use crate::config::Http;
use crate::telemetry::probes::{self, ReadyCheck};

/// Where the same resources are found: as themselves, behind the platform's gateway, and as the Go
/// tracker's oldest clients know them.
pub const MOUNTS: [&str; 3] = ["/api/v1", "/app/payload-tracker/api/v1", "/v1"];

/// The one a path lies under.
pub(super) fn mount_of(path: &str) -> Option<&'static str> {
    MOUNTS.into_iter().find(|mount| {
        let rest = path.strip_prefix(mount);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Everything `pt-api` serves on `PUBLICPORT`.
pub fn router(app: App, ready: ReadyCheck, http: &Http) -> Router {
    let (resources, _) = resources().split_for_parts();
    let mut routes = Router::new().route("/", get(lubdub)).merge(docs());
    for mount in MOUNTS {
        routes = routes
            .route(&format!("{mount}/"), get(lubdub))
            .nest(mount, resources.clone());
    }
    let counted = app.metrics.clone();
    let routes = routes
        .with_state(app)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(route_not_found);
    let probes = probes::router(ready).method_not_allowed_fallback(method_not_allowed);
    middleware::around(routes, counted, http).merge(probes)
}

/// The OpenAPI document and its pages, which the binary holds: nothing is fetched from elsewhere.
fn docs() -> Router<App> {
    // Unless told otherwise the pages have a public service fetch and judge the document.
    let config = Config::default().validator_url("none");
    let pages = SwaggerUi::new("/docs")
        .url("/openapi.json", openapi::document())
        .config(config);
    Router::from(pages).layer(from_fn(say_what_is_missing))
}

/// Swagger UI answers a file that it does not have with a 404 without a body, and a name that is not UTF-8
/// with a 400 in words of its own.
async fn say_what_is_missing(uri: Uri, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if matches!(
        response.status(),
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST
    ) {
        return route_not_found(uri).await.into_response();
    }
    response
}

/// What each mount holds, with its part of the OpenAPI document.
pub(super) fn resources() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(lubdub))
        .routes(routes!(payloads::list))
        .routes(routes!(payload::get))
        .routes(routes!(trace::get))
        .routes(routes!(live::routes::payload))
        .routes(routes!(archive::link))
        .routes(routes!(kibana::link))
        .routes(routes!(archive::role))
        .routes(routes!(archive::mock_archive))
        .routes(routes!(explain::get))
        .routes(routes!(failures::get))
        .routes(routes!(stuck::get))
        .routes(routes!(statuses::list))
        .routes(routes!(live::routes::statuses))
        .routes(routes!(stats::get))
        .routes(routes!(rejects::list))
        .routes(routes!(reject::get))
        .routes(routes!(accounting::get))
        .routes(routes!(producers::get))
}

/// The documents of what lies beside the mounts.
pub(super) fn probe_document() -> OpenApi {
    let unasked: ReadyCheck = std::sync::Arc::new(|| Box::pin(async { Ok(()) }));
    probes::routes(unasked).into_openapi()
}

/// Does the heart beat?
///
/// Says `lubdub` while the process runs; the Go tracker's clients look for it.
#[utoipa::path(
    get, path = "/", tag = "probes", operation_id = "lubdub",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain", example = "lubdub"))
)]
async fn lubdub() -> &'static str {
    "lubdub"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_only_begins_like_a_mount_is_not_under_it() {
        assert_eq!(mount_of("/v1"), Some("/v1"));
        assert_eq!(mount_of("/v1/nothing/here"), Some("/v1"));
        assert_eq!(mount_of("/v12/payloads"), None);
        assert_eq!(mount_of("/docs"), None);
    }
}
