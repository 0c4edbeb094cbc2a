//! How long a payload spent where.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What stands for the source of statuses without one.
const NO_SOURCE: &str = "undefined";

/// The first and the last date of some statuses of one service and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    pub service: String,
    pub source: Option<String>,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
}

/// `service:source` to the time from its first to its last status, in the order of the first
/// dates, then by name; then `total_time_in_services`, their sum, and `total_time`, from the first
/// status of all to the last. The front end draws its legend in this order and compares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duration {
    services: Vec<(String, TimeDelta)>,
    total_in_services: TimeDelta,
    total: TimeDelta,
}

impl Duration {
    /// Stays with the same key are one, whatever their order.
    pub fn of(stays: impl IntoIterator<Item = Stay>) -> Self {
        let mut by_key: HashMap<String, (DateTime<Utc>, DateTime<Utc>)> = HashMap::new();
        for stay in stays {
            let key = format!(
                "{}:{}",
                stay.service,
                stay.source.as_deref().unwrap_or(NO_SOURCE)
            );
            let (first, last) = by_key.entry(key).or_insert((stay.first, stay.last));
            *first = stay.first.min(*first);
            *last = stay.last.max(*last);
        }
        let first = by_key.values().map(|(first, _)| *first).min();
        let last = by_key.values().map(|(_, last)| *last).max();
        let mut by_first: Vec<_> = by_key.into_iter().collect();
        by_first.sort_unstable_by(|(a_key, (a, _)), (b_key, (b, _))| (a, a_key).cmp(&(b, b_key)));
        let services: Vec<_> = by_first
            .into_iter()
            .map(|(key, (first, last))| (key, last - first))
            .collect();
        Self {
            total_in_services: services.iter().map(|(_, time)| time).sum(),
            total: last
                .zip(first)
                .map_or(TimeDelta::zero(), |(last, first)| last - first),
            services,
        }
    }
}

impl Serialize for Duration {
    /// Written entry by entry: a JSON object built in memory first would lose the order.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.services.len() + 2))?;
        for (key, time) in &self.services {
            map.serialize_entry(key, &clock(*time))?;
        }
        map.serialize_entry("total_time_in_services", &clock(self.total_in_services))?;
        map.serialize_entry("total_time", &clock(self.total))?;
        map.end()
    }
}

/// `HH:MM:SS.ffffff`; hours may pass 24.
fn clock(time: TimeDelta) -> String {
    let seconds = time.num_seconds();
    format!(
        "{:02}:{:02}:{:02}.{:06}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        time.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_760_000_000_000_000 + micros).unwrap()
    }

    fn seen(service: &str, source: Option<&str>, micros: i64) -> Stay {
        let date = at(micros);
        Stay {
            service: service.to_owned(),
            source: source.map(str::to_owned),
            first: date,
            last: date,
        }
    }

    fn written(stays: Vec<Stay>) -> String {
        serde_json::to_string(&Duration::of(stays)).unwrap()
    }

    #[test]
    fn keys_come_in_the_order_of_their_first_date_and_totals_last() {
        let stays = vec![
            seen("puptoo", Some("inventory"), 2_500_000),
            seen("zeta", None, 500_000),
            seen("ingress", None, 0),
            seen("puptoo", Some("inventory"), 1_000_000),
            seen("ingress", None, 250_000),
            seen("advisor", None, 500_000),
        ];
        assert_eq!(
            written(stays),
            concat!(
                r#"{"ingress:undefined":"00:00:00.250000","advisor:undefined":"00:00:00.000000","#,
                r#""zeta:undefined":"00:00:00.000000","puptoo:inventory":"00:00:01.500000","#,
                r#""total_time_in_services":"00:00:01.750000","total_time":"00:00:02.500000"}"#
            )
        );
    }

    #[test]
    fn stays_that_share_a_key_are_one() {
        let stays = vec![
            seen("a", Some("b:c"), 0),
            seen("a:b", Some("c"), 1),
            seen("x", None, 0),
            seen("x", Some("undefined"), 2),
        ];
        assert_eq!(
            written(stays),
            concat!(
                r#"{"a:b:c":"00:00:00.000001","x:undefined":"00:00:00.000002","#,
                r#""total_time_in_services":"00:00:00.000003","total_time":"00:00:00.000002"}"#
            )
        );
    }

    #[test]
    fn hours_pass_24() {
        assert_eq!(
            clock(TimeDelta::hours(49) + TimeDelta::microseconds(61_000_007)),
            "49:01:01.000007"
        );
        assert_eq!(clock(TimeDelta::hours(240)), "240:00:00.000000");
    }

    #[test]
    fn no_status_at_all_takes_no_time() {
        assert_eq!(
            written(vec![]),
            r#"{"total_time_in_services":"00:00:00.000000","total_time":"00:00:00.000000"}"#
        );
    }
}
