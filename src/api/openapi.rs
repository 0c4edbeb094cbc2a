//! The OpenAPI document, generated from the routes.
//!
//! Each path is written once, relative to the mounts, which are the document's servers: a generated
//! client is pointed at one of them, and a gateway that adds its own prefix needs no other document.
//! The probes lie outside the mounts and say so with a server of their own.

mod alike;
mod headers;

use std::io::{self, Write};
use std::process::ExitCode;

use utoipa::OpenApi as _;
use utoipa::openapi::{OpenApi, Server};

use super::router::{MOUNTS, probe_document, resources};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Payload Tracker",
        description = "Where is my payload, did it succeed, and why not?\n\nEvery error has the form \
            `{\"title\", \"message\", \"status\"}`. Times are RFC 3339 in UTC. Of a repeated parameter \
            the first counts; unknown and empty ones are ignored. While requests are limited, each answer \
            says what is left in `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (a \
            Unix second). `X-Request-Id` comes back as it was sent, or is made up.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "payloads", description = "Uploads, each under its request id"),
        (name = "statuses", description = "What services said about payloads"),
        (name = "links", description = "To what was uploaded, and to what the services logged"),
        (name = "rejects", description = "Messages that did not become statuses, and what is to be said of their senders"),
        (name = "probes", description = "How the service itself is"),
    )
)]
struct Head;

/// The document as served at `/openapi.json`.
pub fn document() -> OpenApi {
    let mut document = Head::openapi();
    document.merge(resources().into_openapi());
    for item in document.paths.paths.values_mut() {
        alike::add_failures(item);
        headers::add_common(item);
    }
    let mut probes = probe_document();
    for item in probes.paths.paths.values_mut() {
        item.servers = Some(vec![Server::new("/")]);
    }
    document.merge(probes);
    for item in document.paths.paths.values_mut() {
        headers::add_waits(item);
        alike::add_details(item);
    }
    let components = document.components.get_or_insert_default();
    components.headers = headers::described();
    let mounts = MOUNTS.iter().zip([
        "directly",
        "through the platform's gateway",
        "as the oldest clients do",
    ]);
    document.servers = Some(
        mounts
            .map(|(mount, who)| {
                let mut server = Server::new(*mount);
                server.description = Some(who.to_owned());
                server
            })
            .collect(),
    );
    document
}

/// The document as `api/openapi.json` holds it.
///
/// # Errors
/// None that a document could cause; it is serde's.
pub fn printed() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|json| json + "\n")
}

/// Writes it to standard output: `pt-api --openapi`.
pub fn print() -> ExitCode {
    match printed()
        .map_err(io::Error::other)
        .and_then(|json| io::stdout().write_all(json.as_bytes()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pt-api: cannot print the OpenAPI document: {error}");
            ExitCode::FAILURE
        }
    }
}
