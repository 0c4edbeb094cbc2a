//! A TCP forwarder: the stable address in front of a node whose own port is chosen anew at each start.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::thread::{self, JoinHandle};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::BrokerError;

/// Ports tried when any will do, since the same number must be free for IPv4 and IPv6.
const TRIES: usize = 10;

/// The listening sockets of one port number.
pub(super) struct Listeners {
    port: u16,
    sockets: Vec<StdListener>,
}

/// Takes the port on 127.0.0.1 and, if the machine has IPv6, on ::1.
pub(super) fn listen(port: u16) -> Result<Listeners, BrokerError> {
    let mut outcome = listen_once(port);
    for _ in 1..TRIES {
        if port != 0 || outcome.is_ok() {
            break;
        }
        outcome = listen_once(port);
    }
    outcome
}

fn listen_once(port: u16) -> Result<Listeners, BrokerError> {
    let taken = |source| BrokerError::Port { port, source };
    let v4 = StdListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    let port = v4.local_addr().map_err(taken)?.port();
    let mut sockets = vec![v4];
    match StdListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(v6) => sockets.push(v6),
        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
            return Err(BrokerError::Port { port, source });
        }
        Err(_no_ipv6) => {}
    }
    Ok(Listeners { port, sockets })
}

/// Forwards until it is dropped, on a thread of its own, so that it needs no runtime of its owner.
pub(super) struct Forwarder {
    port: u16,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    pub(super) fn start(listeners: Listeners, to: SocketAddr) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let Listeners { port, sockets } = listeners;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let listeners = {
            let _inside = runtime.enter();
            sockets
                .into_iter()
                .map(adopt)
                .collect::<io::Result<Vec<_>>>()?
        };
        let thread = thread::Builder::new()
            .name("kafka-forwarder".into())
            .spawn(move || {
                for listener in listeners {
                    runtime.spawn(accept(listener, to));
                }
                // Dropping the runtime afterwards closes every connection.
                runtime.block_on(stopped.cancelled());
            })?;
        Ok(Self {
            port,
            stop,
            thread: Some(thread),
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn adopt(listener: StdListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: TcpListener, to: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(forward(client, to));
            }
            // Out of file descriptors, or a client gone already: neither may end the service.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// A connection that breaks is the client's to notice: it sees the same end as without a forwarder.
async fn forward(mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let mut node = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    node.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut node).await?;
    Ok(())
}
