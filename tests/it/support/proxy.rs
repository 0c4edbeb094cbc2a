use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where connections stand.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    /// Raised by each cut; a connection ends when it is not the one it began under.
    cuts: u32,
    /// Raised each time the server vanishes, in the same way.
    vanished: u32,
    up: bool,
    /// Whether nothing is heard on new connections either.
    silent: bool,
    /// Connections that were refused so far.
    refused: u32,
    lossy: Option<Lossy>,
}

/// Answers to come that will be lost.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lossy {
    question: &'static [u8],
    times: u32,
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
            vanished: 0,
            up: true,
            silent: false,
            refused: 0,
            lossy: None,
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

    /// From now on nothing is heard on any connection, and none of them ends: the server has lost its power.
    /// New ones are let through, as to whoever takes its place.
    pub fn vanish(&self) {
        self.line.send_modify(|line| line.vanished += 1);
    }

    /// The same, but nobody takes its place until `restore`: what connects until then is never heard either.
    pub fn vanish_for_a_while(&self) {
        self.line.send_modify(|line| {
            line.vanished += 1;
            line.silent = true;
        });
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
        self.line.send_modify(|line| {
            line.up = true;
            line.silent = false;
        });
    }

    /// So many times, lets a question with these bytes through and ends the connection when the answer comes,
    /// which the client never sees.
    pub fn lose_answers(&self, question: &'static [u8], times: u32) {
        let lossy = (times > 0).then_some(Lossy { question, times });
        self.line.send_modify(|line| line.lossy = lossy);
    }

    /// How many of these are still to come.
    pub fn answers_to_lose(&self) -> u32 {
        self.line.borrow().lossy.map_or(0, |lossy| lossy.times)
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
            tokio::spawn(forward(client, target, Arc::clone(&line)));
        } else {
            line.send_modify(|line| line.refused += 1);
        }
    }
}

async fn forward(mut client: TcpStream, target: u16, line: Arc<watch::Sender<Line>>) {
    let begun = *line.borrow();
    let mut changes = line.subscribe();
    if begun.silent || converse(&mut client, target, &line, begun).await == End::Vanished {
        // The client's end stays open, and nobody reads it.
        changes.wait_for(|line| line.cuts != begun.cuts).await.ok();
    }
}

/// How a connection ended.
#[derive(PartialEq, Eq)]
enum End {
    Told,
    Vanished,
}

async fn converse(
    client: &mut TcpStream,
    target: u16,
    line: &watch::Sender<Line>,
    begun: Line,
) -> End {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return End::Told;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let mut changes = line.subscribe();
    let (from_client, mut to_client) = client.split();
    let (mut from_server, to_server) = server.split();
    let is_lossy = tokio::select! {
        is_lossy = ask(from_client, to_server, line) => is_lossy,
        _ = tokio::io::copy(&mut from_server, &mut to_client) => false,
        ended = changes.wait_for(|line| (line.cuts, line.vanished) != (begun.cuts, begun.vanished)) => {
            if ended.is_ok_and(|line| line.vanished != begun.vanished) {
                return End::Vanished;
            }
            false
        }
    };
    if is_lossy {
        from_server.read_exact(&mut [0; 1]).await.ok();
    }
    End::Told
}

/// Forwards what the client says until it ends, false, or asked what its answer will be lost to, true.
async fn ask(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    line: &watch::Sender<Line>,
) -> bool {
    let mut said = vec![0; 64 * 1024];
    loop {
        let length = match from.read(&mut said).await {
            Ok(0) | Err(_) => return false,
            Ok(length) => length,
        };
        let is_lossy = takes_loss(&said[..length], line);
        if to.write_all(&said[..length]).await.is_err() {
            return false;
        }
        if is_lossy {
            return true;
        }
    }
}

fn takes_loss(said: &[u8], line: &watch::Sender<Line>) -> bool {
    let asks = |question: &[u8]| said.windows(question.len()).any(|part| part == question);
    line.send_if_modified(|line| match &mut line.lossy {
        Some(lossy) if asks(lossy.question) => {
            lossy.times -= 1;
            if lossy.times == 0 {
                line.lossy = None;
            }
            true
        }
        _ => false,
    })
}
