//! What every request passes through.

use std::any::Any;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, Any as Anything, CorsLayer};

use super::problem::Problem;
use super::router::MOUNTS;
use crate::telemetry::metrics::ApiMetrics;

/// From the inside out: a panic becomes a 500, origins are let in, answers are counted, and nothing
/// under the mounts is kept by a cache.
pub fn around(routes: Router, metrics: ApiMetrics, origins: &[String]) -> Router {
    let mut routes = routes.layer(CatchPanicLayer::custom(panicked));
    if !origins.is_empty() {
        routes = routes.layer(cors(origins));
    }
    routes
        .layer(from_fn_with_state(metrics, count))
        .layer(from_fn(no_store))
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(
        panic = said.unwrap_or("without words"),
        "a request met a defect"
    );
    Problem::Internal.into_response()
}

fn cors(origins: &[String]) -> CorsLayer {
    // `config::Http` lets only origins pass; what cannot be a header never equals one.
    let listed = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    let allowed = AllowOrigin::list(listed);
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(Anything)
}

async fn count(State(metrics): State<ApiMetrics>, request: Request, next: Next) -> Response {
    metrics.requests.inc();
    let response = next.run(request).await;
    metrics
        .responses
        .with_label_values(&[response.status().as_str()])
        .inc();
    response
}

async fn no_store(request: Request, next: Next) -> Response {
    let under_a_mount = MOUNTS
        .iter()
        .any(|mount| is_under(request.uri().path(), mount));
    let mut response = next.run(request).await;
    if under_a_mount {
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn is_under(path: &str, mount: &str) -> bool {
    path.strip_prefix(mount)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_only_begins_like_a_mount_is_not_under_it() {
        assert!(is_under("/v1", "/v1"));
        assert!(is_under("/v1/nothing/here", "/v1"));
        assert!(!is_under("/v12/payloads", "/v1"));
        assert!(!is_under("/docs", "/v1"));
    }
}
