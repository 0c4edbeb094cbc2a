//! A server that is gone in mid-handshake is an outage; one that cannot be trusted is not.

use std::net::Ipv4Addr;
use std::time::Duration;

use payload_tracker::config::{Database, SslMode};
use payload_tracker::store::failure::{self, Failure};
use payload_tracker::store::session::{self, Role};
use sea_orm::sqlx::{self, Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ingest::lab::{SOON, is_not_ready};
use crate::support::{self, Process, eventually};

/// Bytes of PostgreSQL's SSLRequest.
const SSL_REQUEST: usize = 8;

/// How the server leaves.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Before its answer to SSLRequest.
    Silent,
    /// With a proper end of the stream, in answer to the client's first message.
    Close,
    /// Like a crashed host, or one whose kernel ends what its process had not read yet.
    Reset,
}

async fn leave(mut client: TcpStream, end: End) -> std::io::Result<()> {
    let mut request = [0; SSL_REQUEST];
    client.read_exact(&mut request).await?;
    if matches!(end, End::Silent) {
        return Ok(());
    }
    client.write_all(b"S").await?;
    client.readable().await?;
    match end {
        End::Reset => client.set_zero_linger(),
        End::Close | End::Silent => {
            let mut hello = [0; 16 * 1024];
            client.read(&mut hello).await.map(|_| ())
        }
    }
}

/// The port of a server that treats every client so. It ends with the test.
async fn leaving_server(end: End) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            leave(client, end).await.ok();
        }
    });
    port
}

fn database(port: u16, ssl_mode: SslMode) -> Database {
    Database {
        host: "localhost".into(),
        port,
        user: "crc".into(),
        password: "crc".into(),
        name: "crc".into(),
        ssl_mode,
        ca: None,
        max_connections: 1,
        statement_timeout: Duration::from_secs(30),
    }
}

async fn refusal(database: &Database) -> sqlx::Error {
    let options = session::options(database, Role::Consumer);
    PgConnection::connect_with(&options).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_mid_handshake_is_transient() {
    for end in [End::Silent, End::Close, End::Reset] {
        let port = leaving_server(end).await;
        for mode in [SslMode::Prefer, SslMode::Require, SslMode::VerifyFull] {
            let error = refusal(&database(port, mode)).await;
            let found = failure::classify(&error);
            assert_eq!(found, Failure::Transient, "{end:?}, {mode:?}: {error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_waits_for_a_server_that_leaves_in_mid_handshake() {
    let port = leaving_server(End::Close).await.to_string();
    let kafka = support::kafka().await;
    let mut envs = kafka.env();
    for (name, value) in [("DB_PORT", &*port), ("DB_SSLMODE", "verify-full")] {
        envs.push((name.to_owned(), value.to_owned()));
    }
    let consumer = Process::spawn("pt-consumer", envs);
    eventually("three attempts", SOON, || async {
        let attempts = consumer.log().matches("waiting for the database").count();
        (attempts >= 3).then_some(())
    })
    .await;
    is_not_ready(&consumer, "TLS").await;
}
