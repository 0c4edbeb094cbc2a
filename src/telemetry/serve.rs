//! Opening ports and serving them until told to stop; the same for both binaries.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open requests may take to end once the process is told to (contract, section 2).
const ENDS_WITHIN: Duration = Duration::from_secs(9);

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

/// Serves until `stop`, then lets open requests end for up to 9 s.
///
/// # Errors
///
/// The listener broke.
pub async fn serve_until(
    stop: CancellationToken,
    listener: TcpListener,
    router: Router,
) -> io::Result<()> {
    let stopped = stop.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stopped.cancelled().await });
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(ENDS_WITHIN).await;
    };
    tokio::select! {
        ended = serving.into_future() => ended,
        () = late => {
            tracing::warn!("requests that did not end are cut off");
            Ok(())
        }
    }
}
