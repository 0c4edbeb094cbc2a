//! Connections whose other side stops taking what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Whether a connection was given up because its other side took nothing any more.
///
/// Every request has that of its connection in its extensions.
#[derive(Clone, Debug, Default)]
pub struct Stalled(Arc<AtomicBool>);

impl Stalled {
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that fails once a write has waited for too long without a single byte taken.
///
/// Without it a client that asks and never reads holds its connection, and whatever answers it, for as long
/// as it likes: what it does not take fills the socket's buffers, and then nothing happens any more.
#[derive(Debug)]
pub struct Progressing<S> {
    stream: S,
    within: Duration,
    /// Runs while a write waits.
    patience: Option<Pin<Box<Sleep>>>,
    stalled: Stalled,
}

impl<S> Progressing<S> {
    /// `within`: how long a write may wait for the first byte to be taken. `stalled` says when one has.
    pub fn new(stream: S, within: Duration, stalled: Stalled) -> Self {
        Self {
            stream,
            within,
            patience: None,
            stalled,
        }
    }

    fn watched<T>(
        &mut self,
        wrote: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.patience = None;
            return wrote;
        }
        let patience = || Box::pin(sleep(self.within));
        ready!(
            self.patience
                .get_or_insert_with(patience)
                .as_mut()
                .poll(context)
        );
        self.stalled.0.store(true, Ordering::Relaxed);
        let took_nothing = format!("the other side took nothing for {:?}", self.within);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, took_nothing)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progressing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progressing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(wrote, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watched(wrote, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (server, _client) = duplex(8);
        let stalled = Stalled::default();
        let mut server = Progressing::new(server, WITHIN, stalled.clone());
        let begun = Instant::now();
        let error = server.write_all(&[0; 24]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= WITHIN);
        assert!(stalled.is_so());
    }

    #[tokio::test]
    async fn who_takes_little_is_waited_for() {
        let (server, mut client) = duplex(1);
        let stalled = Stalled::default();
        let mut server = Progressing::new(server, WITHIN, stalled.clone());
        let writing = tokio::spawn(async move { server.write_all(&[0; 16]).await });
        let begun = Instant::now();
        for _ in 0..16 {
            sleep(WITHIN / 8).await;
            client.read_exact(&mut [0]).await.unwrap();
        }
        writing.await.unwrap().unwrap();
        assert!(begun.elapsed() > WITHIN, "longer than it may take nothing");
        assert!(!stalled.is_so());
    }
}
