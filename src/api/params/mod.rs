//! What a request asks for: the query string and the path, read forgivingly where the contract says
//! so, and refused with the name of the parameter and what is allowed where it does not.

mod cursor;
mod id;
mod list;
mod payload;
mod time;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

use super::problem::{Problem, shown};

pub use cursor::{ListId, Onward, Part};
pub use id::{ParentId, PathId, host_ids, request_ids};
pub use list::{CreatedWithin, DatedWithin, Page, ReceivedWithin, SortDir};
pub use payload::{Known, PayloadFilter};
pub use time::since_schema;

/// Characters of a value that are repeated to who sent it.
pub const MOST_SHOWN: usize = 100;

/// A filter as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter<T> {
    /// Not asked for.
    #[default]
    Any,
    One(T),
    /// Asked for something that no row can hold, so that nothing matches.
    Nothing,
}

impl<T> Filter<T> {
    /// Adds the filter to a query; `None`: no row can match, so nobody need be asked.
    pub fn narrow<Q>(self, query: Q, with: impl FnOnce(Q, T) -> Q) -> Option<Q> {
        match self {
            Self::Any => Some(query),
            Self::One(value) => Some(with(query, value)),
            Self::Nothing => None,
        }
    }

    /// Whether it lets something through that `is` the value asked for.
    pub fn admits(&self, is: impl FnOnce(&T) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::One(value) => is(value),
            Self::Nothing => false,
        }
    }

    /// For a filter whose value has to be looked up first; what is not found matches nothing.
    pub fn and_then<U>(self, find: impl FnOnce(T) -> Option<U>) -> Filter<U> {
        match self {
            Self::Any => Filter::Any,
            Self::One(value) => find(value).map_or(Filter::Nothing, Filter::One),
            Self::Nothing => Filter::Nothing,
        }
    }
}

/// One of a few words.
pub trait Choice: Copy + 'static {
    const ALLOWED: &'static [(&'static str, Self)];
}

/// The parameters of a query string, decoded: of a repeated one the first counts, and an empty one
/// is as good as none.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Never fails: `%` without two hex digits stands for itself, and bytes that are not UTF-8 become
    /// U+FFFD, as they do in messages.
    pub fn parse(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// As it was sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, first) = self.0.iter().find(|(known, _)| known == name)?;
        Some(first.as_str()).filter(|value| !value.is_empty())
    }

    /// Text as it was sent. PostgreSQL's text cannot hold U+0000, so nothing matches it.
    pub fn text(&self, name: &str) -> Filter<String> {
        match self.get(name) {
            None => Filter::Any,
            Some(text) if text.contains('\0') => Filter::Nothing,
            Some(text) => Filter::One(text.to_owned()),
        }
    }

    /// The name of a service, source or status, in the lower case they are stored in.
    pub fn name(&self, name: &str) -> Filter<String> {
        self.text(name).and_then(|text| Some(text.to_lowercase()))
    }

    /// A request id, as every form it may be stored in.
    pub fn request_id(&self, name: &str) -> Filter<Vec<String>> {
        self.text(name).and_then(|text| request_ids(&text))
    }

    /// An inventory or system id, as every form it may be stored in.
    pub fn host_id(&self, name: &str) -> Filter<Vec<String>> {
        self.text(name).and_then(|text| host_ids(&text))
    }

    /// # Errors
    /// When it is none of the words.
    pub fn choice<T: Choice>(&self, name: &str, default: T) -> Result<T, Problem> {
        let Some(given) = self.get(name) else {
            return Ok(default);
        };
        let found = T::ALLOWED.iter().find(|(word, _)| *word == given);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<_> = T::ALLOWED.iter().map(|(word, _)| *word).collect();
            refused(name, given, &format!("one of {}", words.join(", ")))
        })
    }

    /// What `read` makes of it; none where it is not asked for.
    ///
    /// # Errors
    /// When `read` makes nothing of it; `allowed` says what it takes.
    pub fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
        allowed: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(given) = self.get(name) else {
            return Ok(None);
        };
        read(given)
            .map(Some)
            .ok_or_else(|| refused(name, given, allowed))
    }

    /// A whole number of `allowed`.
    ///
    /// # Errors
    /// When it is not made of digits, or outside.
    pub fn number(
        &self,
        name: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, Problem> {
        let within = |given: &str| digits(given).filter(|number| allowed.contains(number));
        let number = self.read(name, within, &whole_number(&allowed))?;
        Ok(number.unwrap_or(default))
    }
}

/// A number that is written in digits alone, if the type holds it.
pub fn digits<T: FromStr>(text: &str) -> Option<T> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// What a parameter takes, for whoever is told that it took nothing.
pub fn whole_number<T: Display>(allowed: &RangeInclusive<T>) -> String {
    format!(
        "a whole number from {} to {}",
        allowed.start(),
        allowed.end()
    )
}

/// A parameter that is not what it has to be.
fn refused(name: &str, given: &str, allowed: &str) -> Problem {
    Problem::BadParameter(format!(
        "{name} {:?} is not {allowed}",
        shown(given, MOST_SHOWN)
    ))
}

/// What a route may be asked, read from the query string.
pub trait FromParams: Sized {
    /// # Errors
    /// [`Problem::BadParameter`].
    fn from_params(params: &Params) -> Result<Self, Problem>;
}

/// Extracts what a route may be asked.
#[derive(Clone, Debug)]
pub struct Asked<T>(pub T);

impl<S: Sync, T: FromParams> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let params = Params::parse(parts.uri.query().unwrap_or_default());
        T::from_params(&params).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_repeated_parameter_the_first_counts_and_an_empty_one_is_none() {
        let params = Params::parse("a=1&a=2&b=&b=3&c&=d&%61=4&e=+%2B%zz%ff");
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), None);
        assert_eq!(params.get("e"), Some(" +%zz\u{fffd}"));
    }
}
