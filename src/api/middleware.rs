//! What every request passes through.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, Any as Anything, CorsLayer};

use super::client::Clients;
use super::csv;
use super::problem::Problem;
use super::rate_limit::{RateLimit, limit};
use super::request_log;
use super::router::mount_of;
use crate::config::Http;
use crate::telemetry::metrics::ApiMetrics;

/// What a browser elsewhere may read of an answer beside its body.
const EXPOSED: [HeaderName; 9] = [
    header::RETRY_AFTER,
    csv::COUNT,
    csv::COUNT_CAPPED,
    csv::NEXT,
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-rh-insights-request-id"),
];

/// From the inside out: a panic becomes a 500, a client has its limit, origins are let in, nothing
/// under the mounts is kept by a cache, answers are counted, and each request is logged.
///
/// The limit lies within CORS, so that a browser elsewhere can read that it has reached it.
pub fn around(routes: Router, metrics: ApiMetrics, http: &Http) -> Router {
    let mut routes = routes.layer(CatchPanicLayer::custom(panicked));
    if http.rate_limit.per_minute > 0 {
        let rate_limit = Arc::new(RateLimit::of(http.rate_limit.per_minute));
        routes = routes.layer(from_fn_with_state(rate_limit, limit));
    }
    if !http.cors_allowed_origins.is_empty() {
        routes = routes.layer(cors(&http.cors_allowed_origins));
    }
    let clients = Arc::new(Clients::behind(http.rate_limit.trusted_proxies.clone()));
    routes
        .layer(from_fn(no_store))
        .layer(from_fn_with_state(metrics, count))
        .layer(from_fn_with_state(clients, request_log::log))
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
        .expose_headers(EXPOSED)
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
    let under_a_mount = mount_of(request.uri().path()).is_some();
    let mut response = next.run(request).await;
    if under_a_mount {
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
