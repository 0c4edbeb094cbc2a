//! What every list may be asked.

use sea_orm::Order;
use utoipa::{IntoParams, ToSchema};

use super::{Choice, FromParams, Params, digits, time, whole_number};
use crate::api::problem::Problem;
use crate::store::entity::Span;

const DEFAULT_PAGE_SIZE: u64 = 10;
const LARGEST_PAGE: u64 = 1_000;
/// Rows before a page: the database reads and throws away each of them.
const FURTHEST: u64 = 10_000;

/// In which direction a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase", default = "desc")]
pub enum SortDir {
    Asc,
    /// The newest, or the greatest, first.
    #[default]
    Desc,
}

impl Choice for SortDir {
    const ALLOWED: &'static [(&'static str, Self)] = &[("asc", Self::Asc), ("desc", Self::Desc)];
}

impl From<SortDir> for Order {
    fn from(direction: SortDir) -> Self {
        match direction {
            SortDir::Asc => Self::Asc,
            SortDir::Desc => Self::Desc,
        }
    }
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Which page, counted from 0. No page begins after row 10,000 (`page` times `page_size`).
    #[param(default = 0, minimum = 0, maximum = 10000, required = false)]
    pub page: u64,
    /// How many rows a page has.
    #[param(default = 10, minimum = 1, maximum = 1000, required = false)]
    pub page_size: u64,
}

impl Page {
    /// Rows before the page.
    pub fn offset(&self) -> u64 {
        self.page.saturating_mul(self.page_size)
    }

    /// Rows up to the end of the page.
    pub fn end(&self) -> u64 {
        self.offset().saturating_add(self.page_size)
    }

    /// # Errors
    /// When the page begins too far down; `instead` says how to get there.
    pub(super) fn within_reach(self, instead: &str) -> Result<Self, Problem> {
        if self.offset() <= FURTHEST {
            return Ok(self);
        }
        let (page, page_size) = (self.page, self.page_size);
        Err(Problem::BadParameter(format!(
            "page {page} of {page_size} rows begins after row {FURTHEST}: {instead}"
        )))
    }

    /// Of a list without a cursor.
    ///
    /// # Errors
    /// When it begins too far down; `filter` is a parameter that gets there.
    pub fn or_narrower(self, filter: &str) -> Result<Self, Problem> {
        self.within_reach(&format!("narrow the list by {filter}"))
    }
}

impl FromParams for Page {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        // Which one begins too far down depends on their size: see `within_reach`.
        let page = params.read("page", digits, &whole_number(&(0..=FURTHEST)))?;
        Ok(Self {
            page: page.unwrap_or_default(),
            page_size: params.number("page_size", DEFAULT_PAGE_SIZE, 1..=LARGEST_PAGE)?,
        })
    }
}

macro_rules! window {
    ($(#[$about:meta])* $window:ident, $lt:ident, $lte:ident, $gt:ident, $gte:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoParams)]
        #[into_params(parameter_in = Query)]
        pub struct $window {
            /// Before this instant: RFC 3339 such as `2026-01-31T08:15:30Z`, without a zone for UTC, or
            /// a date alone, such as `2026-01-31`, for its midnight.
            #[param(schema_with = time::instant_schema)]
            pub $lt: Option<chrono::DateTime<chrono::Utc>>,
            /// At this instant or before it.
            #[param(schema_with = time::instant_schema)]
            pub $lte: Option<chrono::DateTime<chrono::Utc>>,
            /// After this instant.
            #[param(schema_with = time::instant_schema)]
            pub $gt: Option<chrono::DateTime<chrono::Utc>>,
            /// At this instant or after it.
            #[param(schema_with = time::instant_schema)]
            pub $gte: Option<chrono::DateTime<chrono::Utc>>,
        }

        impl FromParams for $window {
            fn from_params(params: &Params) -> Result<Self, Problem> {
                Ok(Self {
                    $lt: params.instant(stringify!($lt))?,
                    $lte: params.instant(stringify!($lte))?,
                    $gt: params.instant(stringify!($gt))?,
                    $gte: params.instant(stringify!($gte))?,
                })
            }
        }

        impl From<$window> for Span {
            fn from(window: $window) -> Self {
                Self { lt: window.$lt, lte: window.$lte, gt: window.$gt, gte: window.$gte }
            }
        }
    };
}

window!(
    /// Bounds on `created_at`.
    CreatedWithin, created_at_lt, created_at_lte, created_at_gt, created_at_gte
);
window!(
    /// Bounds on `received_at`.
    ReceivedWithin, received_at_lt, received_at_lte, received_at_gt, received_at_gte
);
window!(
    /// Bounds on `date`.
    DatedWithin, date_lt, date_lte, date_gt, date_gte
);
