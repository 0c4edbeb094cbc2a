//! Lists as CSV (RFC 4180) for spreadsheets.

use std::borrow::Cow;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use csv::{Terminator, WriterBuilder};
use utoipa::ToSchema;

use super::params::Choice;
use super::problem::Problem;

/// How many rows match in all, as `count` says it in JSON.
pub const COUNT: HeaderName = HeaderName::from_static("x-count");
/// `true` where more rows match than `x-count` says.
pub const COUNT_CAPPED: HeaderName = HeaderName::from_static("x-count-capped");
/// What `cursor` takes to go on, as `next` says it in JSON.
pub const NEXT: HeaderName = HeaderName::from_static("x-next");

const TYPE: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// What a spreadsheet takes a cell for a formula by, full-width forms included; of a tab and the like
/// it looks at what follows.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ToSchema)]
#[schema(rename_all = "lowercase", default = "json")]
pub enum ListFormat {
    #[default]
    Json,
    /// A header row and the rows of the page.
    Csv,
}

impl Choice for ListFormat {
    const ALLOWED: &'static [(&'static str, Self)] = &[("json", Self::Json), ("csv", Self::Csv)];
}

/// A row of a list that can be written as CSV.
pub trait CsvRow {
    /// What the file is called, without `.csv`.
    const NAME: &'static str;
    /// The names of the fields, those of JSON.
    const HEADER: &'static [&'static str];

    /// The fields in the order of the header, as JSON has them.
    fn fields(&self) -> Vec<Cow<'_, str>>;
}

/// Rows under a header row.
///
/// # Errors
/// [`Problem::Internal`]: none that rows could cause.
pub fn table<T: CsvRow>(rows: &[T]) -> Result<Response, Problem> {
    let text = written(rows).map_err(|error| {
        tracing::error!(%error, "a list could not be written as CSV");
        Problem::Internal
    })?;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TYPE);
    let file = format!("attachment; filename=\"{}.csv\"", T::NAME);
    if let Ok(file) = HeaderValue::try_from(file) {
        headers.insert(CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

fn written<T: CsvRow>(rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(T::HEADER)?;
    for row in rows {
        writer.write_record(row.fields().into_iter().map(disarmed).map(Cow::into_owned))?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// Text that a spreadsheet would compute gets a `'` before it, which makes it text there: anybody who
/// can send a status would otherwise run formulas on the machine of whoever opens the file. A number
/// is left alone, signs and all.
fn disarmed(field: Cow<'_, str>) -> Cow<'_, str> {
    if field.starts_with(FORMULA) && !is_number(&field) {
        Cow::Owned(format!("'{field}"))
    } else {
        field
    }
}

fn is_number(field: &str) -> bool {
    let digits = field.strip_prefix(['+', '-']).unwrap_or(field);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str, &'static str);

    impl CsvRow for Row {
        const NAME: &'static str = "rows";
        const HEADER: &'static [&'static str] = &["a", "b"];

        fn fields(&self) -> Vec<Cow<'_, str>> {
            vec![self.0.into(), self.1.into()]
        }
    }

    fn text(rows: &[Row]) -> String {
        String::from_utf8(written(rows).unwrap()).unwrap()
    }

    #[test]
    fn no_rows_are_a_header() {
        assert_eq!(text(&[]), "a,b\r\n");
    }

    #[test]
    fn what_needs_quotes_gets_them() {
        let rows = [Row("x,y", "say \"no\""), Row("two\nlines", "")];
        assert_eq!(
            text(&rows),
            "a,b\r\n\"x,y\",\"say \"\"no\"\"\"\r\n\"two\nlines\",\r\n"
        );
    }

    #[test]
    fn a_formula_becomes_text_and_a_number_stays() {
        for (given, expected) in [
            ("=1+1", "'=1+1"),
            ("+cmd|x", "'+cmd|x"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("-", "'-"),
            ("-1", "-1"),
            ("+2.5", "+2.5"),
            ("1=1", "1=1"),
            ("", ""),
        ] {
            assert_eq!(disarmed(given.into()), expected, "{given:?}");
        }
    }
}
