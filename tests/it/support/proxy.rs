use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where connections stand.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    /// Raised by each cut; a connection ends when it is not the one it began under.
    cuts: u32,
    up: bool,
    /// Connections that were refused so far.
    refused: u32,
}

/// A TCP proxy on 127.0.0.1 that can cut its connections, as a network does.
pub struct Proxy {
    port: u16,
    line: Arc<watch::Sender<Line>>,
    accept: JoinHandle<()>,
}

impl Proxy {
    /// Forwards to a port of 127.0.0.1.
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (line, _) = watch::channel(Line {
            cuts: 0,
            up: true,
            refused: 0,
        });
        let line = Arc::new(line);
        let accept = tokio::spawn(accept(listener, target, Arc::clone(&line)));
        Self { port, line, accept }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection. New ones are let through.
    pub fn cut(&self) {
        self.line.send_modify(|line| line.cuts += 1);
    }

    /// Ends every connection, and each new one at once, until `restore`.
    pub fn refuse(&self) {
        self.line.send_modify(|line| {
            line.cuts += 1;
            line.up = false;
        });
    }

    /// How many connections were refused so far.
    pub fn refused(&self) -> u32 {
        self.line.borrow().refused
    }

    pub fn restore(&self) {
        self.line.send_modify(|line| line.up = true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, target: u16, line: Arc<watch::Sender<Line>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        if line.borrow().up {
            tokio::spawn(forward(client, target, line.subscribe()));
        } else {
            line.send_modify(|line| line.refused += 1);
        }
    }
}

async fn forward(mut client: TcpStream, target: u16, mut line: watch::Receiver<Line>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let begun = line.borrow().cuts;
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = line.wait_for(|line| line.cuts != begun) => {}
    }
}
