//! What all lists have in common: a page of rows and a count beside it.

use std::time::Instant;

use sea_orm::{EntityTrait, QuerySelect, Select};
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Page;
use super::reading::{ReadError, Reader};
use crate::store::entity::{Capped, count_capped};

/// How far matches are counted (contract, section 3).
const COUNTED_TO: u64 = 10_000;

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
}

impl<T> List<T> {
    /// A page of what was asked for at `asked`.
    pub fn new(matches: Capped, data: Vec<T>, asked: Instant) -> Self {
        Self {
            count: matches.count,
            count_capped: matches.capped,
            elapsed: asked.elapsed().as_secs_f64(),
            data,
        }
    }

    /// What a filter that matches nothing answers.
    pub fn empty(asked: Instant) -> Self {
        Self::new(Capped::default(), Vec::new(), asked)
    }
}

/// One page of `sorted`.
pub fn page_of<E: EntityTrait>(sorted: Select<E>, page: Page) -> Select<E> {
    sorted.offset(page.offset()).limit(page.page_size)
}

/// Counts the rows of `matching`, up to 10,000.
///
/// # Errors
/// [`ReadError`].
pub async fn count_of<E>(matching: Select<E>, reader: &Reader) -> Result<Capped, ReadError>
where
    E: EntityTrait,
    Select<E>: Send + Sync,
{
    reader
        .read(move |session| Box::pin(count_capped(matching.clone(), COUNTED_TO, session)))
        .await
}
