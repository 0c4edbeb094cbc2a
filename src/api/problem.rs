//! Errors as the API answers them: one enum, one status for each case, one form for all.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What a client that found the service unable to answer may wait before it asks again, seconds.
const RETRY_AFTER: u64 = 3;

/// Characters of an id or a path that are repeated to who sent it. No id that is stored is longer.
const LONGEST_ID: usize = 300;

/// The first characters of what a client sent, which knows the rest.
pub fn shown(given: &str, characters: usize) -> Cow<'_, str> {
    match given.char_indices().nth(characters) {
        None => given.into(),
        Some((end, _)) => format!("{}... ({} bytes)", &given[..end], given.len()).into(),
    }
}

/// Everything the API answers but success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A parameter that cannot be what it is; the text names it and what is allowed.
    #[error("{0}")]
    BadParameter(String),
    /// The database gave up on a list after 2 s; names the parameters that narrow it.
    #[error("this takes the database longer than 2 s: narrow it by {0}, or by another filter")]
    TooWide(&'static str),
    /// It does not say whose value it was.
    #[error("the database refuses a value of this request; the log of the service says why")]
    RefusedByDatabase,
    #[error("payload with id: {} not found", shown(.0, LONGEST_ID))]
    PayloadNotFound(String),
    #[error("reject with id: {} not found", shown(.0, LONGEST_ID))]
    RejectNotFound(String),
    #[error("the archive of payload with id: {} not found", shown(.0, LONGEST_ID))]
    ArchiveNotFound(String),
    #[error("there is nothing at {}", shown(.0, LONGEST_ID))]
    RouteNotFound(String),
    #[error("{} is not allowed here: use GET or HEAD", shown(.0.as_str(), LONGEST_ID))]
    MethodNotAllowed(Method),
    /// Who asks is not known; the text says what is wrong.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// Who asks lacks this role.
    #[error("this takes the role {0}")]
    Forbidden(String),
    #[error("more than {limit} requests a minute: try again in {retry_after} s")]
    TooManyRequests {
        limit: u32,
        /// Seconds.
        retry_after: u64,
    },
    /// Another service fails. Its address is nobody's business.
    #[error("storage-broker, which gives out the links, fails")]
    BadGateway,
    #[error("storage-broker, which gives out the links, does not answer in time: try again")]
    GatewayTimeout,
    /// Not now, perhaps soon; the text says why.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of this program.
    #[error("this request met a defect of the service; its log says more")]
    Internal,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadParameter(_) | Self::TooWide(_) | Self::RefusedByDatabase => {
                StatusCode::BAD_REQUEST
            }
            Self::PayloadNotFound(_)
            | Self::RejectNotFound(_)
            | Self::ArchiveNotFound(_)
            | Self::RouteNotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// How long to wait before asking again, seconds.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Unavailable(_) => Some(RETRY_AFTER),
            Self::TooManyRequests { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

/// The one form of every error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ProblemBody {
    /// The status in words.
    #[schema(example = "Not Found")]
    title: String,
    /// What is wrong, and what would be right.
    #[schema(example = "payload with id: 0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d not found")]
    message: String,
    /// The HTTP status again.
    #[schema(example = 404)]
    status: u16,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ProblemBody {
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            message: self.to_string(),
            status: status.as_u16(),
        };
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Answers a path that no route has.
pub async fn route_not_found(uri: Uri) -> Problem {
    Problem::RouteNotFound(uri.path().to_owned())
}

/// Answers a method that a route does not have; axum adds the `Allow` header.
pub async fn method_not_allowed(method: Method) -> Problem {
    Problem::MethodNotAllowed(method)
}
