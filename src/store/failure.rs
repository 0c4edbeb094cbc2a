//! What a refusal of the database means: the one place that reads SQLSTATE.
//!
//! Classes and codes: PostgreSQL's appendix "PostgreSQL Error Codes".

use std::error::Error;
use std::io;
use std::iter::successors;

use sea_orm::sqlx;
use sea_orm::sqlx::postgres::PgDatabaseError;

/// What to do about a failed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The database is away, busy or in each other's way: wait and try again.
    Transient,
    /// A row fell outside every partition: make sure of the partition and try again.
    MissingPartition,
    /// The statement took too long. Once is the server's load, again and again is the batch's: then
    /// as [`Failure::Poison`].
    Timeout,
    /// A row is to blame, and no retry makes it another one.
    Poison,
    /// No retry mends it and no row is to blame: somebody has to do something about the database.
    Stalled,
}

impl Failure {
    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::MissingPartition => "missing_partition",
            Self::Timeout => "timeout",
            Self::Poison => "poison",
            Self::Stalled => "stalled",
        }
    }
}

/// Reads an error of the database driver.
pub fn classify(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(refusal) => match refusal.code() {
            Some(code) => by_sqlstate(&code, refusal.constraint().is_some()),
            None => Failure::Stalled,
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
        _ => Failure::Stalled,
    }
}

/// The same for the statement that makes a day's partition. Two consumers that make one at once, or
/// a job beside them, stand in each other's way; nothing there is a row's fault.
pub fn classify_partition(error: &sqlx::Error) -> Failure {
    match sqlstate(error).as_deref() {
        // unique violation in the catalogue, duplicate table
        Some("23505" | "42P07") => Failure::MissingPartition,
        _ => match classify(error) {
            Failure::Poison => Failure::Stalled,
            failure => failure,
        },
    }
}

/// The code with which the server refused, if it was the server.
pub fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}

/// What the server said, with its detail; the driver's words where it was not the server.
pub fn message(error: &sqlx::Error) -> String {
    let Some(refusal) = error.as_database_error() else {
        return error.to_string();
    };
    let refusal = refusal.downcast_ref::<PgDatabaseError>();
    match refusal.detail() {
        Some(detail) => format!("{} ({detail})", refusal.message()),
        None => refusal.message().to_owned(),
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
        // the server is stopping, has crashed, is starting, dropped the database, ended an idle session
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Failure::Transient,
        // statement timeout, or somebody cancelled it
        "57014" => Failure::Timeout,
        // RAISE EXCEPTION in somebody's trigger, which looks at rows
        "P0001" => Failure::Poison,
        _ => match code.get(..2) {
            // connection exceptions, insufficient resources
            Some("08" | "53") => Failure::Transient,
            // data exceptions, integrity constraints, program limits
            Some("22" | "23" | "54") => Failure::Poison,
            _ => Failure::Stalled,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_consequence() {
        let classes = [
            (
                Failure::Transient,
                "08000 08006 25P03 25P04 40001 40P01 53100 53200 53300 55P03 57P01 57P02 57P03 57P04",
            ),
            (Failure::Timeout, "57014"),
            (
                Failure::Poison,
                "22001 22003 22007 22021 22P05 23502 23505 54000 P0001",
            ),
            (
                Failure::Stalled,
                "25006 28000 28P01 3D000 3F000 42501 42703 42P01 42P07 0A000 XX000 21000 é",
            ),
        ];
        for (expected, codes) in classes {
            for code in codes.split(' ') {
                assert_eq!(by_sqlstate(code, false), expected, "{code}");
            }
        }
    }

    #[test]
    fn a_missing_partition_has_no_constraint_name() {
        assert_eq!(by_sqlstate("23514", false), Failure::MissingPartition);
        assert_eq!(by_sqlstate("23514", true), Failure::Poison);
    }

    #[test]
    fn a_lost_connection_is_transient_and_a_wrong_setting_is_not() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(classify(&lost), Failure::Transient);
        assert_eq!(classify(&sqlx::Error::PoolTimedOut), Failure::Transient);
        let wrong = sqlx::Error::Configuration("no such mode".into());
        assert_eq!(classify(&wrong), Failure::Stalled);
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
                Failure::Stalled,
            ),
            ("server does not support TLS", Failure::Stalled),
        ] {
            assert_eq!(classify(&sqlx::Error::Tls(text.into())), expected, "{text}");
        }
    }
}
