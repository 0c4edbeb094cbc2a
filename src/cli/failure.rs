use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::process::ExitCode;

use sea_orm::{DbErr, RuntimeErr, sqlx};

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a subcommand ended early, told apart by what the caller can do about it.
///
/// Not an `Error` itself, so that `?` turns every error into [`Failure::Work`].
#[derive(Debug)]
pub enum Failure {
    /// Settings or arguments are wrong: exit code 2.
    Settings(BoxError),
    /// Everything else: exit code 1.
    Work(BoxError),
}

impl Failure {
    /// For `map_err` where an error means wrong settings or arguments.
    pub fn settings(error: impl Into<BoxError>) -> Self {
        Self::Settings(error.into())
    }

    /// For `map_err` and for failures that are just a sentence.
    pub fn work(error: impl Into<BoxError>) -> Self {
        Self::Work(error.into())
    }

    /// Whether nobody reads standard output any more, as after `| head`.
    pub fn is_broken_pipe(&self) -> bool {
        let (Self::Settings(error) | Self::Work(error)) = self;
        let io = error.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) => ExitCode::from(2),
            Self::Work(_) => ExitCode::FAILURE,
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Work(error.into())
    }
}

impl fmt::Display for Failure {
    /// The error and its sources on one line; a source whose text its parent already
    /// carries is not said twice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Settings(error) | Self::Work(error)) = self;
        let outermost: &(dyn Error + 'static) = &**error;
        let mut line = error.to_string();
        for cause in successors(Some(outermost), |cause| (*cause).source()) {
            let text = cause.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            if let Some(said) = refusal(cause) {
                line = line.replace(&text, said);
                break;
            }
        }
        f.write_str(&line.replace('\n', " "))
    }
}

/// What the database said, where the error is its refusal. sea-orm and sqlx put their own words before it, and
/// behind it the number of a line in PostgreSQL's source, which everybody takes for one of theirs.
fn refusal<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e str> {
    let driver = match error.downcast_ref() {
        Some(
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)),
        ) => error,
        _ => error.downcast_ref::<sqlx::Error>()?,
    };
    Some(driver.as_database_error()?.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the file")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn sources_are_named_once_and_on_one_line() {
        let inner = std::io::Error::other("disk\ngone");
        assert_eq!(
            Failure::from(Outer(inner)).to_string(),
            "cannot open the file: disk gone"
        );
        let repeated = std::io::Error::other(std::io::Error::other("disk gone"));
        assert_eq!(Failure::work(repeated).to_string(), "disk gone");
    }
}
