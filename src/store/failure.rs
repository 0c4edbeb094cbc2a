//! What a refusal of the database means: the one place that reads SQLSTATE.
//!
//! Classes and codes: PostgreSQL's appendix "PostgreSQL Error Codes".

use std::error::Error;
use std::io;
use std::iter::successors;

use sea_orm::sqlx;

/// What to do about a failed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The database is away, busy or in each other's way: wait and try again.
    Transient,
    /// A row fell outside every partition: make sure of the partition and try again.
    MissingPartition,
    /// No retry mends it.
    Permanent,
}

/// Reads an error of the database driver.
pub fn classify(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(refusal) => match refusal.code() {
            Some(code) => by_sqlstate(&code, refusal.constraint().is_some()),
            None => Failure::Permanent,
        },
        // The connection, not the statement. A protocol error is what a connection that breaks
        // in the middle of an answer looks like.
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => Failure::Transient,
        sqlx::Error::Tls(error) if is_cut_off(&**error) => Failure::Transient,
        // Wrong settings, a certificate that does not verify, a server without TLS, wrong types, a
        // closed pool: the same again next time.
        _ => Failure::Permanent,
    }
}

/// Whether a TLS handshake ended with the connection rather than by a decision of either side.
///
/// A reset is an I/O error among the sources. For an end of the stream OpenSSL has no error at all,
/// or since 3.0 one of its own; both are told by their text alone.
fn is_cut_off(error: &(dyn Error + 'static)) -> bool {
    let mut causes = successors(Some(error), |error| (*error).source());
    causes.any(|cause| {
        cause.is::<io::Error>()
            || cause
                .to_string()
                .to_ascii_lowercase()
                .contains("unexpected eof")
    })
}

/// `named` tells a check constraint (it has a name) from a missing partition (it has none).
fn by_sqlstate(code: &str, named: bool) -> Failure {
    match code {
        "23514" if !named => Failure::MissingPartition,
        // serialization failure, deadlock
        "40001" | "40P01" => Failure::Transient,
        // the server ended an idle or a long transaction, a lock was not to be had in time
        "25P03" | "25P04" | "55P03" => Failure::Transient,
        // statement timeout; the server is stopping, has crashed, or is starting
        "57014" | "57P01" | "57P02" | "57P03" | "57P05" => Failure::Transient,
        // connection exceptions, insufficient resources
        _ if code.starts_with("08") || code.starts_with("53") => Failure::Transient,
        _ => Failure::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_consequence() {
        for code in [
            "08006", "25P04", "40001", "40P01", "53100", "53300", "55P03", "57P01", "57014",
        ] {
            assert_eq!(by_sqlstate(code, false), Failure::Transient, "{code}");
        }
        for code in ["28P01", "3D000", "42P01", "25006", "22P05", "23505"] {
            assert_eq!(by_sqlstate(code, false), Failure::Permanent, "{code}");
        }
    }

    #[test]
    fn a_missing_partition_has_no_constraint_name() {
        assert_eq!(by_sqlstate("23514", false), Failure::MissingPartition);
        assert_eq!(by_sqlstate("23514", true), Failure::Permanent);
    }

    #[test]
    fn a_lost_connection_is_transient_and_a_wrong_setting_is_not() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(classify(&lost), Failure::Transient);
        assert_eq!(classify(&sqlx::Error::PoolTimedOut), Failure::Transient);
        let wrong = sqlx::Error::Configuration("no such mode".into());
        assert_eq!(classify(&wrong), Failure::Permanent);
    }

    #[test]
    fn an_end_of_the_stream_in_a_handshake_is_known_in_openssl_s_words_of_old_and_new() {
        for (text, expected) in [
            ("unexpected EOF", Failure::Transient),
            (
                "error:0A000126:SSL routines:ssl3_read_n:unexpected eof while reading",
                Failure::Transient,
            ),
            (
                "error:0A000086:SSL routines::certificate verify failed",
                Failure::Permanent,
            ),
            ("server does not support TLS", Failure::Permanent),
        ] {
            assert_eq!(classify(&sqlx::Error::Tls(text.into())), expected, "{text}");
        }
    }
}
