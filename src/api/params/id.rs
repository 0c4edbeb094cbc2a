//! Ids as clients write them, and the forms they may be stored in.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::status::{canonical_host_id, canonical_request_id};

/// Bytes of the longest id an index holds; what is longer was never stored.
const LONGEST: usize = 2_704;

/// The id a path ends in, percent-decoded and otherwise as the client wrote it.
///
/// Bytes that are not UTF-8 become U+FFFD instead of an error: an id that can be none is a 404.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathId(pub String);

impl<S: Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let segment = parts.uri.path().rsplit('/').next().unwrap_or_default();
        Ok(Self(
            percent_decode_str(segment).decode_utf8_lossy().into_owned(),
        ))
    }
}

/// The id before the last segment of a path, as in `/payloads/{request_id}/trace`; else as [`PathId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentId(pub String);

impl<S: Sync> FromRequestParts<S> for ParentId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let segment = parts.uri.path().rsplit('/').nth(1).unwrap_or_default();
        Ok(Self(
            percent_decode_str(segment).decode_utf8_lossy().into_owned(),
        ))
    }
}

/// Every form a request id may be stored in: canonical, as this program stores it; and, as the Go
/// tracker stored what its producers sent, as it is, without blanks around it, dashed, upper-case.
/// `None`: it can be no id.
pub fn request_ids(given: &str) -> Option<Vec<String>> {
    let id = possible(given)?;
    let canonical = canonical_request_id(id);
    let mut forms = vec![
        canonical.clone().into_owned(),
        id.to_owned(),
        given.to_owned(),
    ];
    if let Some(dashed) = dashed(&canonical) {
        forms.extend([
            canonical.to_ascii_uppercase(),
            dashed.to_ascii_uppercase(),
            dashed,
        ]);
    }
    Some(distinct(forms))
}

/// Every form an inventory or system id may be stored in: canonical, and as it is with and without
/// blanks around it. `None`: it can be no id; the nil UUID is none either.
pub fn host_ids(given: &str) -> Option<Vec<String>> {
    let id = possible(given)?;
    let canonical = canonical_host_id(id)?;
    Some(distinct(vec![canonical, id.to_owned(), given.to_owned()]))
}

fn possible(given: &str) -> Option<&str> {
    let id = given.trim();
    let possible = !id.is_empty() && given.len() <= LONGEST && !given.contains('\0');
    possible.then_some(id)
}

/// 32 hex digits as 8-4-4-4-12; `None` for other ids.
fn dashed(canonical: &str) -> Option<String> {
    if canonical.len() != 32 {
        return None;
    }
    canonical_host_id(canonical).filter(|dashed| dashed.len() == 36)
}

fn distinct(mut forms: Vec<String>) -> Vec<String> {
    forms.sort_unstable();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";
    const DASHED: &str = "0f3c8f1e-6a5d-4a7b-9c2d-1e0f8a7b6c5d";

    #[test]
    fn every_form_of_a_uuid_asks_for_every_form() {
        for given in [PLAIN, DASHED, "  0F3C8F1E6A5D4A7B9C2D1E0F8A7B6C5D "] {
            let forms = request_ids(given).unwrap();
            for wanted in [given, given.trim(), PLAIN, DASHED, &DASHED.to_uppercase()] {
                assert!(
                    forms.contains(&wanted.to_owned()),
                    "{given:?} asks for {forms:?}"
                );
            }
        }
    }

    #[test]
    fn other_text_is_asked_for_as_it_is() {
        assert_eq!(request_ids("Not-A-UUID").unwrap(), ["Not-A-UUID"]);
        assert_eq!(request_ids(" x ").unwrap(), [" x ", "x"]);
        assert_eq!(host_ids(" Host-7").unwrap(), [" Host-7", "Host-7"]);
    }

    #[test]
    fn a_host_id_is_asked_for_dashed() {
        assert!(host_ids(PLAIN).unwrap().contains(&DASHED.to_owned()));
        assert!(
            host_ids(&DASHED.to_uppercase())
                .unwrap()
                .contains(&DASHED.to_owned())
        );
    }

    #[test]
    fn what_can_be_no_id_is_none() {
        for given in ["", "  ", "a\0b", &"x".repeat(10_000)] {
            assert_eq!(request_ids(given), None);
            assert_eq!(host_ids(given), None);
        }
        assert_eq!(host_ids("00000000-0000-0000-0000-000000000000"), None);
        assert!(request_ids("00000000000000000000000000000000").is_some());
    }
}
