//! The order of a payload's statuses. Sorted here and not by the database, which would have to join
//! the names for it.

use std::cmp::Ordering;

use utoipa::ToSchema;

use super::row::Named;
use crate::api::params::{Choice, SortDir};

/// By what the statuses of a payload are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", default = "date")]
pub enum PayloadSortBy {
    Service,
    Source,
    Status,
    StatusMsg,
    #[default]
    Date,
    CreatedAt,
    RequestId,
    Account,
    OrgId,
    InventoryId,
    SystemId,
}

impl Choice for PayloadSortBy {
    const ALLOWED: &'static [(&'static str, Self)] = &[
        ("service", Self::Service),
        ("source", Self::Source),
        ("status", Self::Status),
        ("status_msg", Self::StatusMsg),
        ("date", Self::Date),
        ("created_at", Self::CreatedAt),
        ("request_id", Self::RequestId),
        ("account", Self::Account),
        ("org_id", Self::OrgId),
        ("inventory_id", Self::InventoryId),
        ("system_id", Self::SystemId),
    ];
}

/// Names by bytes, absent values last in either direction, ties by row id in the same direction.
pub fn sort(rows: &mut [Named], by: PayloadSortBy, direction: SortDir) {
    let directed = |ordering: Ordering| match direction {
        SortDir::Asc => ordering,
        SortDir::Desc => ordering.reverse(),
    };
    let text = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => directed(a.cmp(b)),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    rows.sort_unstable_by(|a, b| {
        let ordering = match by {
            PayloadSortBy::Service => text(&a.service, &b.service),
            PayloadSortBy::Source => text(&a.source, &b.source),
            PayloadSortBy::Status => text(&a.status, &b.status),
            PayloadSortBy::StatusMsg => text(&a.status_msg, &b.status_msg),
            PayloadSortBy::Date => directed(a.date.cmp(&b.date)),
            PayloadSortBy::CreatedAt => directed(a.created_at.cmp(&b.created_at)),
            // One payload has one of each.
            PayloadSortBy::RequestId
            | PayloadSortBy::Account
            | PayloadSortBy::OrgId
            | PayloadSortBy::InventoryId
            | PayloadSortBy::SystemId => Ordering::Equal,
        };
        ordering.then_with(|| directed(a.row.cmp(&b.row)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entity::payloads;
    use chrono::DateTime;

    fn row(row: i64, source: Option<&str>, date: i64) -> Named {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Named {
            row,
            service: Some("ingress".to_owned()),
            source: source.map(str::to_owned),
            status: None,
            status_msg: None,
            date: at(date),
            created_at: at(1_000 - date),
            payload: payloads::Model {
                id: 1,
                request_id: "r".to_owned(),
                account: None,
                inventory_id: None,
                system_id: None,
                created_at: at(0),
                org_id: None,
                first_day: None,
                last_day: None,
            },
        }
    }

    fn sorted(by: PayloadSortBy, direction: SortDir) -> Vec<i64> {
        let mut rows = vec![
            row(1, Some("b"), 5),
            row(2, None, 5),
            row(3, Some("a"), 7),
            row(4, Some("B"), 6),
            row(5, None, 1),
        ];
        sort(&mut rows, by, direction);
        rows.iter().map(|row| row.row).collect()
    }

    #[test]
    fn absent_values_come_last_in_either_direction_and_names_sort_by_bytes() {
        assert_eq!(sorted(PayloadSortBy::Source, SortDir::Asc), [4, 3, 1, 2, 5]);
        assert_eq!(
            sorted(PayloadSortBy::Source, SortDir::Desc),
            [1, 3, 4, 5, 2]
        );
    }

    #[test]
    fn ties_are_broken_by_row_id_in_the_same_direction() {
        assert_eq!(sorted(PayloadSortBy::Date, SortDir::Asc), [5, 1, 2, 4, 3]);
        assert_eq!(sorted(PayloadSortBy::Date, SortDir::Desc), [3, 4, 2, 1, 5]);
        assert_eq!(
            sorted(PayloadSortBy::CreatedAt, SortDir::Asc),
            [3, 4, 1, 2, 5]
        );
        assert_eq!(
            sorted(PayloadSortBy::Account, SortDir::Desc),
            [5, 4, 3, 2, 1]
        );
    }
}
