//! One line in the log for each request, and the id that ties it to the lines of others.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::client::{Client, Clients};

/// What the platform calls it, and what everybody else does; the first that is there counts.
const REQUEST_ID: [&str; 2] = ["x-rh-insights-request-id", "x-request-id"];
const LONGEST_ID: usize = 128;
/// Characters of a path that are logged.
const LONGEST_PATH: usize = 512;

/// Finds out who asks, gives the request an id unless it has one, answers with that and logs a line.
///
/// The line names no header but the id, and of the URL only the path: the identity, and whatever a
/// client put into its query string, stay out of the log.
pub async fn log(
    State(clients): State<Arc<Clients>>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = clients.of(&request);
    let id = request_id(request.headers());
    request.extensions_mut().insert(client);
    let mut line = Line::begun(&request, client, id.clone());
    let mut response = next.run(request).await;
    line.status = Some(response.status());
    for name in REQUEST_ID {
        response.headers_mut().insert(name, id.clone());
    }
    response
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut given = REQUEST_ID.iter().filter_map(|name| headers.get(*name));
    let usable = given.find(|id| is_usable(id.as_bytes()));
    usable.cloned().unwrap_or_else(new_id)
}

/// What others may send us we repeat, to them and in the log: short, and nothing but plain characters.
fn is_usable(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(is_plain)
}

fn new_id() -> HeaderValue {
    let id = Uuid::new_v4().simple().to_string();
    // Hex digits always are a header's value.
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
}

/// A request under way. Logged when it ends, whichever way it does.
struct Line {
    begun: Instant,
    method: Method,
    path: String,
    client: Client,
    id: HeaderValue,
    status: Option<StatusCode>,
}

impl Line {
    fn begun(request: &Request, client: Client, id: HeaderValue) -> Self {
        Self {
            begun: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path().chars().take(LONGEST_PATH).collect(),
            client,
            id,
            status: None,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let millis = self.begun.elapsed().as_secs_f64() * 1_000.0;
        let duration_ms = (millis * 1_000.0).round() / 1_000.0;
        let request_id = self.id.to_str().unwrap_or_default();
        let client = self.client.0.map(tracing::field::display);
        let (method, path) = (self.method.as_str(), self.path.as_str());
        match self.status.as_ref().map(StatusCode::as_u16) {
            Some(status) => {
                tracing::info!(
                    method,
                    path,
                    status,
                    duration_ms,
                    request_id,
                    client,
                    "request"
                );
            }
            None => {
                tracing::info!(
                    method,
                    path,
                    duration_ms,
                    request_id,
                    client,
                    "the client went away before its answer"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(given: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request_id(&headers).to_str().unwrap().to_owned()
    }

    #[test]
    fn the_platforms_header_wins_and_the_other_stands_in() {
        let both = [("x-request-id", "b"), ("x-rh-insights-request-id", "a")];
        assert_eq!(id_of(&both), "a");
        assert_eq!(id_of(&both[..1]), "b");
        assert_eq!(
            id_of(&[("x-request-id", "b"), ("x-rh-insights-request-id", "a b")]),
            "b"
        );
    }

    #[test]
    fn what_is_no_id_is_replaced() {
        for bad in ["", "a b", "a\"b", "a\u{e9}", &"a".repeat(LONGEST_ID + 1)] {
            let id = id_of(&[("x-request-id", bad)]);
            assert!(id.len() == 32 && id != bad, "{bad:?}: {id}");
        }
        let longest = "a".repeat(LONGEST_ID);
        assert_eq!(id_of(&[("x-request-id", &longest)]), longest);
    }
}
