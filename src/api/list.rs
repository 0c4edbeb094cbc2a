//! What all lists have in common: a page of rows and a count beside it.

use std::time::Instant;

use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use sea_orm::{EntityTrait, QuerySelect, Select};
use serde::Serialize;
use utoipa::ToSchema;

use super::csv::{self, CsvRow, ListFormat};
use super::params::Page;
use super::problem::Problem;
use crate::store::entity::Capped;

/// How far matches are counted (contract, section 3).
pub const COUNTED_TO: u64 = 10_000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// How many rows match in all, counted up to 10,000.
    #[schema(example = 1)]
    count: u64,
    /// More rows match than `count` says; left out where it is the true number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    count_capped: bool,
    /// What the answer took, seconds.
    #[schema(example = 0.0042)]
    elapsed: f64,
    /// The rows of the page; none is `[]`.
    data: Vec<T>,
    /// What `cursor` takes to go on after this page; left out at the end, and where the list is not
    /// sorted by a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        required = false,
        nullable = false,
        example = "b6oD1l2W0nAABkQX0AxXgAAAAAAAABJn"
    )]
    next: Option<String>,
}

impl<T> List<T> {
    /// A page of what was asked for at `asked`.
    pub fn new(matches: Capped, data: Vec<T>, asked: Instant) -> Self {
        Self {
            count: matches.count,
            count_capped: matches.capped,
            elapsed: asked.elapsed().as_secs_f64(),
            data,
            next: None,
        }
    }

    /// The same, to be read on at `next`.
    pub fn reading_on_at(self, next: Option<String>) -> Self {
        Self { next, ..self }
    }

    /// What a filter that matches nothing answers.
    pub fn empty(asked: Instant) -> Self {
        Self::new(Capped::default(), Vec::new(), asked)
    }
}

impl<T: Serialize + CsvRow> List<T> {
    /// As CSV what is beside the rows goes to headers, but for the time it took.
    ///
    /// # Errors
    /// [`Problem::Internal`].
    pub fn answer(self, format: ListFormat) -> Result<Response, Problem> {
        match format {
            ListFormat::Json => Ok(Json(self).into_response()),
            ListFormat::Csv => {
                let mut response = csv::table(&self.data)?;
                let headers = response.headers_mut();
                headers.insert(csv::COUNT, self.count.into());
                if self.count_capped {
                    headers.insert(csv::COUNT_CAPPED, HeaderValue::from_static("true"));
                }
                let next = self.next.and_then(|next| HeaderValue::try_from(next).ok());
                if let Some(next) = next {
                    headers.insert(csv::NEXT, next);
                }
                Ok(response)
            }
        }
    }
}

/// One page of `sorted`.
pub fn page_of<E: EntityTrait>(sorted: Select<E>, page: Page) -> Select<E> {
    sorted.offset(page.offset()).limit(page.page_size)
}

/// One page of `sorted`, and the row after it if there is one: see [`cut`].
pub fn page_and_next<E: EntityTrait>(sorted: Select<E>, page: Page) -> Select<E> {
    sorted.offset(page.offset()).limit(page.page_size + 1)
}

/// Takes the row away that comes after the page; if there was one, answers the last of the page.
pub fn cut<T>(rows: &mut Vec<T>, page: Page) -> Option<&T> {
    let size = usize::try_from(page.page_size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return None;
    }
    rows.truncate(size);
    rows.last()
}
