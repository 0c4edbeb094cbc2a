//! `GET {mount}/payloads/{request_id}/archiveLink` and what belongs to it: the way to what was uploaded.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Uri, header, uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::app::App;
use super::identity;
use super::params::{MOST_SHOWN, ParentId, PathId};
use super::problem::{Problem, ProblemBody, shown};
use super::router::mount_of;
use super::storage_broker::{BrokerError, StorageBroker};
use crate::config;
use crate::status::canonical_request_id;

/// Who gives links to archives, and to whom.
#[derive(Clone, Debug)]
pub struct Archive {
    requestor: Requestor,
    role: String,
}

#[derive(Clone, Debug)]
enum Requestor {
    StorageBroker(StorageBroker),
    Mock,
}

impl Archive {
    /// # Errors
    /// The system's certificates cannot be loaded.
    pub fn new(config: config::Archive) -> Result<Self, reqwest::Error> {
        let requestor = match config.requestor {
            config::Requestor::Mock => Requestor::Mock,
            config::Requestor::StorageBroker { url, timeout } => {
                Requestor::StorageBroker(StorageBroker::at(url, timeout)?)
            }
        };
        Ok(Self {
            requestor,
            role: config.role,
        })
    }
}

/// Where an archive is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArchiveLink {
    /// Valid for a while, for whoever has it.
    #[schema(
        example = "https://bucket.s3.amazonaws.com/0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d?X-Amz-Expires=100&X-Amz-Signature=4f1c"
    )]
    url: String,
}

/// Download an archive
///
/// A link to what was uploaded. With `REQUESTOR_IMPL=mock` no identity is needed, and the link leads to
/// `/archive/{id}`.
#[utoipa::path(
    get, path = "/payloads/{request_id}/archiveLink", tag = "links", operation_id = "getArchiveLink",
    params(
        ("request_id" = String, Path, description = "A UUID, dashed or not, with blanks around it or not", pattern = "^ *([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(:[^ /]*)? *$", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
        ("x-rh-identity" = Option<String>, Header, nullable = false, description = "Base64 of a JSON object that names the role in `identity.associate.Role`"),
    ),
    responses(
        (status = 200, description = "The link", body = ArchiveLink),
        (status = 400, description = "The request id is not a UUID", body = ProblemBody),
        (status = 401, description = "There is no x-rh-identity that can be read", body = ProblemBody),
        (status = 403, description = "The identity lacks the role", body = ProblemBody),
        (status = 404, description = "storage-broker knows no archive of this payload", body = ProblemBody),
        (status = 502, description = "storage-broker fails", body = ProblemBody),
        (status = 504, description = "storage-broker does not answer in time", body = ProblemBody),
    )
)]
pub async fn link(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    ParentId(given): ParentId,
) -> Result<Json<ArchiveLink>, Problem> {
    let url = match &app.archive.requestor {
        Requestor::Mock => mock_link(&uri, &headers, &uuid(&given, &app)?),
        Requestor::StorageBroker(broker) => {
            identity::require(&headers, &app.archive.role)?;
            let id = uuid(&given, &app)?;
            let link = broker.link(&id).await;
            link.map_err(|error| problem(error, given))?
        }
    };
    Ok(Json(ArchiveLink { url }))
}

/// The id in canonical form.
fn uuid(given: &str, app: &App) -> Result<String, Problem> {
    canonical_uuid(given).ok_or_else(|| {
        app.metrics.invalid_request_ids.inc();
        Problem::BadParameter(format!(
            "request_id {:?} is not a UUID",
            shown(given, MOST_SHOWN)
        ))
    })
}

fn canonical_uuid(given: &str) -> Option<String> {
    let id = canonical_request_id(given.trim());
    let is_uuid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid.then(|| id.into_owned())
}

fn problem(error: BrokerError, given: String) -> Problem {
    if let BrokerError::Unknown = error {
        return Problem::ArchiveNotFound(given);
    }
    error.log();
    match error {
        BrokerError::Late => Problem::GatewayTimeout,
        _ => Problem::BadGateway,
    }
}

/// Back to the API, by the name under which the client reached it.
fn mock_link(uri: &Uri, headers: &HeaderMap, id: &str) -> String {
    let mount = mount_of(uri.path()).unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| {
        let host = host.to_str().ok()?;
        host.parse::<uri::Authority>().ok()
    });
    match host {
        Some(host) => format!("http://{host}{mount}/archive/{id}"),
        None => format!("{mount}/archive/{id}"),
    }
}

/// May I download archives?
///
/// Front ends ask before they offer it.
#[utoipa::path(
    get, path = "/roles/archiveLink", tag = "links", operation_id = "getArchiveLinkRole",
    params(("x-rh-identity" = Option<String>, Header, nullable = false, description = "Base64 of a JSON object that names the role in `identity.associate.Role`")),
    responses(
        (status = 200, description = "Yes", body = Allowed),
        (status = 401, description = "There is no x-rh-identity that can be read", body = ProblemBody),
        (status = 403, description = "No: the identity lacks the role", body = ProblemBody),
    )
)]
pub async fn role(State(app): State<App>, headers: HeaderMap) -> Result<Json<Allowed>, Problem> {
    identity::require(&headers, &app.archive.role)?;
    Ok(Json(Allowed { allowed: true }))
}

/// Whether something may be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Allowed {
    /// Always true: who may not is answered 401 or 403.
    #[schema(example = true)]
    allowed: bool,
}

/// Download a mock archive
///
/// What a link leads to with `REQUESTOR_IMPL=mock`; else there is nothing here.
#[utoipa::path(
    get, path = "/archive/{id}", tag = "links", operation_id = "getMockArchive",
    params(("id" = String, Path, description = "The request id of a link", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")),
    responses(
        (status = 200, description = "A line of text", body = String, content_type = "text/plain", example = "the archive of 0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d\n"),
        (status = 404, description = "There is no mock, or this is not a UUID", body = ProblemBody),
    )
)]
pub async fn mock_archive(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    PathId(given): PathId,
) -> Result<String, Problem> {
    match (&app.archive.requestor, canonical_uuid(&given)) {
        (Requestor::Mock, Some(id)) => Ok(format!("the archive of {id}\n")),
        (Requestor::Mock, None) => Err(Problem::ArchiveNotFound(given)),
        (Requestor::StorageBroker(_), _) => Err(Problem::RouteNotFound(uri.path().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_asked_for_in_canonical_form() {
        let canonical = Some("0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d".to_owned());
        for given in [
            "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
            " 0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D ",
            "0f3c8f1e-6a5d-4a7b-9c2d-1e0f8a7b6c5d:host-7",
        ] {
            assert_eq!(canonical_uuid(given), canonical, "{given}");
        }
        let others = [
            "",
            "r",
            "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5",
            "zf3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d",
        ];
        for given in others {
            assert_eq!(canonical_uuid(given), None, "{given}");
        }
    }

    #[test]
    fn a_mock_link_leads_back_the_way_the_client_came() {
        let link = |path: &'static str, host: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(header::HOST, host.parse().unwrap());
            }
            mock_link(&Uri::from_static(path), &headers, "0f")
        };
        assert_eq!(
            link("/v1/payloads/0f/archiveLink", Some("pt:8080")),
            "http://pt:8080/v1/archive/0f"
        );
        assert_eq!(
            link("/app/payload-tracker/api/v1/payloads/0f/archiveLink", None),
            "/app/payload-tracker/api/v1/archive/0f"
        );
        assert_eq!(
            link("/api/v1/payloads/0f/archiveLink", Some("no/host")),
            "/api/v1/archive/0f"
        );
    }
}
