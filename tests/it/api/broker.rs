//! A storage-broker of the test's own, with every fault it may have.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a signed URL looks like; whoever has it may download the archive.
pub const LINK: &str = "https://bucket.example.com/a?X-Amz-Signature=s1gned&b=%2F";

/// Answers each path in a way of its own.
pub struct Broker {
    address: String,
    asked: Asked,
}

type Asked = Arc<Mutex<Vec<String>>>;

impl Broker {
    pub async fn start() -> Self {
        let asked = Asked::default();
        let answers = Router::new()
            .route("/archive/url", get(slash))
            .route("/archive/url/", get(found))
            .route("/not-found", get(|| async { StatusCode::NOT_FOUND }))
            .route(
                "/bad-request",
                get(|| async {
                    (
                        StatusCode::BAD_REQUEST,
                        r#"{"message":"may not be available"}"#,
                    )
                }),
            )
            .route("/no-link", get(|| async { r#"{"url":null}"# }))
            .route(
                "/fails",
                get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, LINK) }),
            )
            .route("/no-json", get(|| async { LINK }))
            .route(
                "/huge",
                get(|| async { format!(r#"{{"url":"{}"}}"#, "x".repeat(100_000)) }),
            )
            .route("/loops", get(|| async { redirect("/loops".to_owned()) }))
            .route(
                "/signed",
                get(|| async { redirect("/signed?X-Amz-Signature=s1gned".to_owned()) }),
            )
            .route("/hangs", get(pending::<()>))
            .route("/stalls", get(stalls))
            .with_state(Arc::clone(&asked));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, answers).await });
        Self { address, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked: path and query, and whether an identity came with it.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn slash(State(asked): State<Asked>, request: Request) -> Response {
    note(&asked, &request);
    let query = request.uri().query().unwrap_or_default();
    redirect(format!("/archive/url/?{query}"))
}

async fn found(State(asked): State<Asked>, request: Request) -> Response {
    note(&asked, &request);
    let answer = serde_json::json!({"request_id": "x", "url": LINK, "timeout": "soon"});
    axum::Json(answer).into_response()
}

fn note(asked: &Asked, request: &Request) {
    let identity = request.headers().contains_key("x-rh-identity");
    let said = format!(
        "{}{}",
        request.uri(),
        if identity { " with identity" } else { "" }
    );
    asked.lock().unwrap().push(said);
}

fn redirect(to: String) -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response()
}

/// Begins an answer and never ends it.
async fn stalls() -> Body {
    let begun = stream::iter([Ok::<_, Infallible>("{\"url\":\"https://")]);
    Body::from_stream(begun.chain(stream::pending()))
}

/// An address at which every answer ends in its middle.
pub async fn breaking_off() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            // Closed with something unread in it, a connection would be reset before its answer is read.
            let _ = client.read(&mut [0; 4_096]).await;
            let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"url\":\"https://";
            let _ = client.write_all(half.as_bytes()).await;
        }
    });
    format!("http://{address}/archive/url")
}
