//! Instants in filters.

use chrono::{DateTime, Utc};
use utoipa::openapi::schema::{
    AnyOf, AnyOfBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};

use super::{Params, refused};
use crate::api::problem::Problem;
use crate::status::parse_date;

/// Where a date ends and a time of day begins: after `YYYY-MM-DD` and one more character.
const TIME_OF_DAY: usize = 11;

impl Params {
    /// An instant: RFC 3339, with a blank where a `+` was meant (which is what an unescaped `+`
    /// decodes to), without a zone for UTC, or a date alone for its midnight.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        let Some(given) = self.get(name) else {
            return Ok(None);
        };
        instant(given.trim()).map(Some).ok_or_else(|| {
            let allowed = "a time: write RFC 3339, such as 2026-01-31T08:15:30Z, or a date, such as 2026-01-31";
            refused(name, given, allowed)
        })
    }
}

/// How the OpenAPI document says what [`Params::instant`] takes, but for the forms that are only there
/// to forgive.
pub fn instant_schema() -> Schema {
    Schema::AnyOf(instant_forms())
}

fn instant_forms() -> AnyOf {
    let forms = AnyOfBuilder::new().schema_type(Type::String);
    forms
        .item(formatted(KnownFormat::DateTime))
        .item(formatted(KnownFormat::Date))
        .build()
}

/// The same of what [`crate::since::since`] takes; `default` is in force where nothing is asked for.
pub fn since_schema(default: &str) -> Schema {
    let mut forms = instant_forms();
    let ago = ObjectBuilder::new().schema_type(Type::String);
    let ago = ago.pattern(Some("^[0-9]{1,6}[smhd]$")).build();
    forms.items.insert(0, ago.into());
    forms.default = Some(default.into());
    Schema::AnyOf(forms)
}

fn formatted(format: KnownFormat) -> Object {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.format(Some(SchemaFormat::KnownFormat(format))).build()
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    if text.len() == TIME_OF_DAY - 1 {
        return parse_date(&format!("{text}T00:00:00Z"));
    }
    let (date, time) = text.split_at_checked(TIME_OF_DAY)?;
    match time.rsplit_once(' ') {
        Some((time, zone)) => parse_date(&format!("{date}{time}+{zone}")),
        None => parse_date(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        instant(text).map(|at| at.to_rfc3339())
    }

    #[test]
    fn every_form_names_its_instant() {
        for (given, expected) in [
            ("2026-01-31T08:15:30Z", "2026-01-31T08:15:30+00:00"),
            ("2026-01-31 08:15:30", "2026-01-31T08:15:30+00:00"),
            ("2026-01-31T08:15:30.5", "2026-01-31T08:15:30.500+00:00"),
            ("2026-01-31T08:15:30+02:00", "2026-01-31T06:15:30+00:00"),
            ("2026-01-31T08:15:30 02:00", "2026-01-31T06:15:30+00:00"),
            ("2026-01-31 08:15:30 0200", "2026-01-31T06:15:30+00:00"),
            ("2026-01-31T08:15:30-0230", "2026-01-31T10:45:30+00:00"),
            ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ] {
            assert_eq!(at(given).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for given in [
            "yesterday",
            "2026-02-30",
            "2026-1-3",
            "1769847330",
            "2026-01-31T24:00:00Z",
            "2026-01-31T08:15:60Z",
            "2026-01-31T08:15:30 ",
            "2026-01-31T08:15:30  02:00",
            "2026-01-31T",
            "2026-01-31T08:15",
            "ééééé",
            "2026-01-31T08:15:30Z garbage",
        ] {
            assert_eq!(at(given), None, "{given}");
        }
    }
}
