//! Where a list is read on: opaque to clients, and good for one list only.

use std::fmt::Debug;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, Utc};
use openssl::sha::sha256;
use utoipa::IntoParams;

use super::{FromParams, Page, Params, refused};
use crate::api::problem::Problem;
use crate::store::entity::Place;

/// Bytes of the digest that a cursor carries of its list.
const DIGEST: usize = 8;
/// Digest, microseconds since 1970, row id; each of eight bytes.
const LENGTH: usize = DIGEST + 8 + 8;

/// Where a list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Onward {
    /// `next` of an answer with the same filters and the same order: goes on after that answer's last
    /// row, whatever came since. Not together with `page`.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{32}$")]
    cursor: Option<String>,
}

/// Which part of a list that is sorted by a time: a page, or what comes after a row.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub page: Page,
    pub after: Option<Place>,
    /// None of a list in another order, which cannot be read on.
    list: Option<ListId>,
}

impl Part {
    /// Of a list; `list` is none where it is not sorted by one of `times`.
    ///
    /// # Errors
    /// When the page begins too far down, or the cursor is none of this list's.
    pub fn read(params: &Params, list: Option<ListId>, times: &str) -> Result<Self, Problem> {
        let page = Page::from_params(params)?;
        let after = match (params.get("cursor"), &list) {
            (None, _) => None,
            (Some(_), None) => {
                let only = format!("cursor goes with sort_by {times} only");
                return Err(Problem::BadParameter(only));
            }
            (Some(_), Some(_)) if page.page > 0 => {
                let either = "page and cursor exclude each other: a cursor knows where it goes on";
                return Err(Problem::BadParameter(either.to_owned()));
            }
            (Some(given), Some(list)) => Some(list.place(given)?),
        };
        let page = page.within_reach("go on with cursor, the `next` of the answer before")?;
        Ok(Self { page, after, list })
    }

    /// What `cursor` takes to go on after the row at `last`.
    pub fn next(&self, last: Option<Place>) -> Option<String> {
        Some(self.list.as_ref()?.cursor(last?))
    }
}

/// What makes two pages pages of one list: route, filters and order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListId([u8; DIGEST]);

impl ListId {
    /// Of a query as it was understood: the same filter said in another way is the same.
    pub fn of(route: &str, query: &impl Debug) -> Self {
        let digest = sha256(format!("{route} {query:?}").as_bytes());
        let mut id = [0; DIGEST];
        id.copy_from_slice(&digest[..DIGEST]);
        Self(id)
    }

    fn place(&self, given: &str) -> Result<Place, Problem> {
        let (of, place) = decoded(given)
            .ok_or_else(|| refused("cursor", given, "the `next` of an answer of this list"))?;
        if of != self.0 {
            let allowed = "of this list: its filters, sort_by and sort_dir have to be the same";
            return Err(refused("cursor", given, allowed));
        }
        Ok(place)
    }

    fn cursor(&self, place: Place) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(self.0);
        bytes.extend(place.at.timestamp_micros().to_be_bytes());
        bytes.extend(place.id.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn decoded(text: &str) -> Option<([u8; DIGEST], Place)> {
    let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (of, rest) = bytes.split_first_chunk::<DIGEST>()?;
    let (micros, id) = rest.split_first_chunk::<8>()?;
    let at: DateTime<Utc> = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?;
    // No row has another year, and PostgreSQL's times do not reach as far as ours.
    if !(-4_000..=200_000).contains(&at.year()) {
        return None;
    }
    let id = i64::from_be_bytes(id.try_into().ok()?);
    Some((*of, Place { at, id }))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_leads_to_its_place_in_its_own_list_only() {
        let place = Place {
            at: DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_700_000_000_123_456),
            id: 4711,
        };
        let list = ListId::of("payloads", &"org 1, newest first");
        let cursor = list.cursor(place);
        assert_eq!(list.place(&cursor), Ok(place));
        let other = ListId::of("payloads", &"org 2, newest first");
        let refusal = other.place(&cursor).unwrap_err().to_string();
        assert!(refusal.contains("filters"), "{refusal}");
    }

    proptest! {
        #[test]
        fn what_is_no_cursor_is_refused_by_name(text in ".{1,60}") {
            let list = ListId::of("payloads", &());
            let refusal = list.place(&text).unwrap_err().to_string();
            prop_assert!(refusal.starts_with("cursor "), "{}", refusal);
        }
    }
}
