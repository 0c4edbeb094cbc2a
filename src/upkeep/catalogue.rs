//! The partitions of `payload_statuses` as the catalogue has them. Names prove nothing.

use std::fmt;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sea_orm::sqlx::postgres::types::Oid;
use sea_orm::sqlx::{self, PgConnection};

const PARTITIONS: &str = "
SELECT child.oid, child.oid::regclass::text, bounds.partition IS NULL,
       nullif(bounds.lower, '-infinity'), nullif(bounds.upper, 'infinity'),
       greatest(child.reltuples, 0)::bigint
  FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
  LEFT JOIN status_partitions() AS bounds ON bounds.partition = child.oid
 WHERE inhparent = 'public.payload_statuses'::regclass
 ORDER BY bounds.lower, child.oid";

/// One partition. A bound that is `None` is infinite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub oid: Oid,
    /// Quoted and qualified where it must be.
    pub name: String,
    /// Takes the rows that no other partition does, and has no bounds.
    pub is_default: bool,
    pub lower: Option<DateTime<Utc>>,
    pub upper: Option<DateTime<Utc>>,
    /// The server's estimate.
    pub rows: i64,
}

/// All partitions, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitions(pub Vec<Partition>);

impl Partitions {
    /// Reads the catalogue.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn read(session: &mut PgConnection) -> Result<Self, sqlx::Error> {
        type Row = (
            Oid,
            String,
            bool,
            Option<DateTime<Utc>>,
            Option<DateTime<Utc>>,
            i64,
        );
        let rows: Vec<Row> = sqlx::query_as(PARTITIONS).fetch_all(session).await?;
        let partition = |(oid, name, is_default, lower, upper, rows): Row| Partition {
            oid,
            name,
            is_default,
            lower,
            upper,
            rows,
        };
        Ok(Self(rows.into_iter().map(partition).collect()))
    }

    /// The one without bounds.
    pub fn default(&self) -> Option<&Partition> {
        self.0.iter().find(|partition| partition.is_default)
    }

    /// Those all of whose rows lie before `keep_from`.
    pub fn expired(&self, keep_from: DateTime<Utc>) -> impl Iterator<Item = &Partition> {
        let bounded = self.0.iter().filter(|partition| !partition.is_default);
        bounded.filter(move |partition| partition.upper.is_some_and(|upper| upper <= keep_from))
    }

    /// Whether each instant of the UTC day lies in some partition with bounds.
    pub fn cover(&self, day: NaiveDate) -> bool {
        let mut edge = day.and_time(NaiveTime::MIN).and_utc();
        let end = edge + Days::new(1);
        for partition in self.0.iter().filter(|partition| !partition.is_default) {
            if partition.lower.is_none_or(|lower| lower <= edge) {
                edge = partition.upper.map_or(end, |upper| upper.max(edge));
            }
        }
        edge >= end
    }

    /// Where the oldest begins that has not expired; `None` where that may hold rows of any time.
    pub fn begin_after(&self, keep_from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let kept = self.0.iter().filter(|partition| {
            partition.is_default || partition.upper.is_none_or(|upper| upper > keep_from)
        });
        // None is less than every bound.
        kept.map(|partition| partition.lower)
            .min()
            .unwrap_or(Some(keep_from))
    }

    /// Where the oldest begins and the newest ends, of those with finite bounds.
    pub fn ends(&self) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let lower = self.0.iter().filter_map(|partition| partition.lower).min();
        let upper = self.0.iter().filter_map(|partition| partition.upper).max();
        (lower, upper)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: Option<DateTime<Utc>>| match bound {
            Some(bound) => bound.format("%Y-%m-%d %H:%M").to_string(),
            None => "(any)".into(),
        };
        let (lower, upper) = (bound(self.lower), bound(self.upper));
        write!(
            f,
            "{}: {lower} to {upper} UTC, about {} rows",
            self.name, self.rows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(instant: &str) -> DateTime<Utc> {
        instant.parse().unwrap()
    }

    fn partitions(bounds: &[(Option<&str>, Option<&str>)]) -> Partitions {
        let partition = |(lower, upper): &(Option<&str>, Option<&str>)| Partition {
            oid: Oid(1),
            name: format!("{lower:?}"),
            is_default: lower.is_none() && upper.is_none(),
            lower: lower.map(at),
            upper: upper.map(at),
            rows: 0,
        };
        Partitions(bounds.iter().map(partition).collect())
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_of_another_zone_covers_two_days_in_part() {
        let of_new_york = partitions(&[
            (Some("2026-03-05T05:00:00Z"), Some("2026-03-06T05:00:00Z")),
            (Some("2026-03-06T05:00:00Z"), Some("2026-03-07T05:00:00Z")),
        ]);
        assert!(!of_new_york.cover(day("2026-03-05")));
        assert!(of_new_york.cover(day("2026-03-06")));
        assert!(!of_new_york.cover(day("2026-03-07")));
    }

    #[test]
    fn a_gap_within_the_day_is_not_covered() {
        let with_gap = partitions(&[
            (Some("2026-03-05T00:00:00Z"), Some("2026-03-05T11:00:00Z")),
            (Some("2026-03-05T12:00:00Z"), Some("2026-03-06T00:00:00Z")),
        ]);
        assert!(!with_gap.cover(day("2026-03-05")));
        let endless = partitions(&[(Some("2026-03-05T00:00:00Z"), None)]);
        assert!(endless.cover(day("2030-01-01")));
    }

    #[test]
    fn only_what_lies_wholly_before_the_bound_has_expired() {
        let all = partitions(&[
            (None, Some("2026-03-01T00:00:00Z")),
            (Some("2026-03-04T05:00:00Z"), Some("2026-03-05T05:00:00Z")),
            (Some("2026-03-05T05:00:00Z"), Some("2026-03-06T00:00:00Z")),
            (Some("2026-03-06T00:00:00Z"), None),
            (None, None),
        ]);
        let count = |keep_from| all.expired(at(keep_from)).count();
        assert_eq!(count("2026-03-05T00:00:00Z"), 1);
        assert_eq!(count("2026-03-06T00:00:00Z"), 3);
        assert_eq!(count("2099-01-01T00:00:00Z"), 3);
    }
}
