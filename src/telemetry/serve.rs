//! Opening ports and serving them until told to stop; the same for both binaries.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::progress::{Progressing, Stalled};

/// How long open requests may take to end once the process is told to (contract, section 2).
const ENDS_WITHIN: Duration = Duration::from_secs(9);

/// What a client may take for the head of a request, and for thinking of the next one: else whoever sends a
/// byte now and then would hold a connection for ever.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long a client may take nothing of its answer: else whoever never reads would hold it for ever.
const TAKES_WITHIN: Duration = Duration::from_secs(30);

/// Bytes of a request's head.
const LARGEST_HEAD: usize = 64 * 1024;

/// Between two tries while there is no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A port that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {name} {port}: {source}")]
pub struct ListenError {
    name: &'static str,
    port: u16,
    source: io::Error,
}

/// Opens a port on all addresses of the machine, IPv4 included; on IPv4 alone where there is no
/// IPv6. `name` is the variable that sets the port.
///
/// # Errors
///
/// The port is taken, or not for this user.
pub async fn listen(name: &'static str, port: u16) -> Result<TcpListener, ListenError> {
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = match TcpListener::bind(everywhere).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind(("0.0.0.0", port)).await
        }
        bound => bound,
    };
    listener.map_err(|source| ListenError { name, port, source })
}

/// Serves until `stop`, then lets open requests end for up to 9 s. Requests know their peer's address.
///
/// A connection whose request head takes longer than 30 s, a first one or a later one, is closed; a head of
/// more than 64 KiB is a 431. One that takes nothing of its answer for 30 s is closed too; requests know by
/// [`Stalled`] that theirs was.
pub async fn serve_until(stop: CancellationToken, listener: TcpListener, router: Router) {
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            (stream, peer) = accept(&listener) => {
                let served = connection(stream, peer, router.clone());
                let served = connections.watch(served);
                tokio::spawn(async move {
                    // A client that went away, or spoke no HTTP.
                    if let Err(error) = served.await {
                        tracing::debug!(%error, %peer, "a connection ended early");
                    }
                });
            }
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    if timeout(ENDS_WITHIN, connections.shutdown()).await.is_err() {
        tracing::warn!("requests that did not end are cut off");
    }
}

/// The next connection. One that is gone again is nobody's fault; without a free file descriptor there is
/// nothing to do but wait until a connection ends.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl GracefulConnection<Error = hyper::Error> {
    // Small answers are not held back for more to come.
    stream.set_nodelay(true).ok();
    let stalled = Stalled::default();
    let stream = Progressing::new(stream, TAKES_WITHIN, stalled.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(stalled.clone());
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}
