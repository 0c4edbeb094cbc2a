//! Where a partition is to be read from.

use std::str::FromStr;

use chrono::{DateTime, Utc};

/// What `--to` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The first message that the log holds.
    Earliest,
    /// The message that comes next.
    Latest,
    /// This offset.
    Offset(i64),
    /// The first message that is not older, by Kafka's timestamp.
    Time(DateTime<Utc>),
}

impl FromStr for Goal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("earliest") {
            return Ok(Self::Earliest);
        }
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        if let Ok(offset) = text.parse::<i64>() {
            return match offset {
                0.. => Ok(Self::Offset(offset)),
                _ => Err("an offset is not negative"),
            };
        }
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self::Time(time.to_utc()))
            .map_err(
                |_| "allowed is earliest, latest, an offset, or a time as 2026-11-21T09:00:00Z",
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_place_is_read_and_no_other() {
        assert_eq!("Earliest".parse(), Ok(Goal::Earliest));
        assert_eq!("latest".parse(), Ok(Goal::Latest));
        assert_eq!("0".parse(), Ok(Goal::Offset(0)));
        assert_eq!("9223372036854775807".parse(), Ok(Goal::Offset(i64::MAX)));
        let time = DateTime::from_timestamp(1_795_251_600, 0).unwrap();
        assert_eq!("2026-11-21T10:00:00+01:00".parse(), Ok(Goal::Time(time)));
        for wrong in [
            "",
            "-1",
            "newest",
            "1.5",
            "2026-11-21",
            "9223372036854775808",
        ] {
            assert!(wrong.parse::<Goal>().is_err(), "{wrong}");
        }
    }
}
