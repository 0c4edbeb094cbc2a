//! Which certificate of `DB_CA` vouches for the server.
//!
//! The driver hands only the first certificate of a PEM text to OpenSSL, while authorities come as
//! bundles: Amazon's, which Clowder passes on as `rdsCa`, holds one for each region and generation.
//! So the server is asked for its certificate once, and the driver is given the one of the bundle
//! that vouches for it. The driver verifies it again, host name included, on each session: nothing
//! is trusted because of what is found here.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509VerifyResult};
use sea_orm::sqlx;
use tokio::task::spawn_blocking;

use crate::config::{Authority, Database, SslMode};

/// How long the server may take for each answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// SSLRequest, from "Message Formats" in PostgreSQL's manual: its length, and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The same settings with `ca` narrowed to the one certificate that counts. Of a bundle that holds
/// none, and where nothing is verified, they stay as they are.
///
/// # Errors
///
/// The server did not answer, or the bundle is not PEM.
pub async fn narrowed(database: &Database) -> Result<Database, sqlx::Error> {
    let mut database = database.clone();
    let bundle = bundle(&database)?;
    // A path is a Unix socket's, where there is no TLS.
    if bundle.len() > 1 && !database.host.starts_with('/') {
        let (host, port) = (database.host.clone(), database.port);
        let found = spawn_blocking(move || anchor(&host, port, bundle)).await;
        if let Some(pem) = found.map_err(|_| sqlx::Error::WorkerCrashed)?? {
            database.ca = Some(Authority::Pem(pem));
        }
    }
    Ok(database)
}

/// The certificates to choose from, where a server is to be verified.
fn bundle(database: &Database) -> Result<Vec<X509>, sqlx::Error> {
    let verifies = matches!(database.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull);
    let pem = match &database.ca {
        Some(Authority::Pem(pem)) if verifies => pem.clone().into_bytes(),
        Some(Authority::File(path)) if verifies => fs::read(path)?,
        _ => return Ok(Vec::new()),
    };
    X509::stack_from_pem(&pem).map_err(tls)
}

/// The certificate of `bundle`, as PEM, that the server's chain ends at.
fn anchor(host: &str, port: u16, bundle: Vec<X509>) -> Result<Option<String>, sqlx::Error> {
    let Some(stream) = request_tls(host, port)? else {
        return Ok(None);
    };
    let mut store = X509StoreBuilder::new().map_err(tls)?;
    for certificate in bundle {
        store.add_cert(certificate).map_err(tls)?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls()).map_err(tls)?;
    connector.set_cert_store(store.build());
    // A server that is not to be trusted is for the driver to refuse, and to say why.
    connector.set_verify(SslVerifyMode::NONE);
    let session = connector
        .build()
        .connect(host, stream)
        .map_err(|error| match error {
            HandshakeError::SetupFailure(error) => tls(error),
            HandshakeError::Failure(stream) | HandshakeError::WouldBlock(stream) => {
                sqlx::Error::Tls(Box::new(stream.into_error()))
            }
        })?;
    let ssl = session.ssl();
    if ssl.verify_result() != X509VerifyResult::OK {
        return Ok(None);
    }
    let Some(anchor) = ssl.verified_chain().and_then(|chain| chain.iter().last()) else {
        return Ok(None);
    };
    let pem = anchor.to_pem().map_err(tls)?;
    Ok(String::from_utf8(pem).ok())
}

/// A connection whose server is about to speak TLS; `None` if it does not.
fn request_tls(host: &str, port: u16) -> io::Result<Option<TcpStream>> {
    let mut stream = connect(host, port)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
    stream.write_all(&SSL_REQUEST)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok((answer == *b"S").then_some(stream))
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWERS_WITHIN) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn tls(error: ErrorStack) -> sqlx::Error {
    sqlx::Error::Tls(Box::new(error))
}
