//! Moves the dates of example messages in time, as text.
//!
//! Decoding and encoding again would repair what is broken on purpose and lose how each
//! producer writes: nine fraction digits, a blank instead of `T`, no zone.

use std::ops::Range;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

const KEY: &[u8] = b"\"date\"";
/// `2026-08-21T09:14:07`, what a shift by whole seconds changes of a date.
const SECONDS_LEN: usize = 19;

/// The instant of the line's date; `None` without a date that can be moved.
pub fn date(line: &[u8]) -> Option<DateTime<Utc>> {
    instant(str::from_utf8(&line[date_range(line)?]).ok()?)
}

/// The line with its date moved by the whole seconds of `by`; every other byte stays, and
/// a line without a date that can be moved stays as it is.
pub fn shifted(line: &[u8], by: TimeDelta) -> Vec<u8> {
    let mut moved = line.to_vec();
    if let Some((range, text)) = moved_seconds(line, by) {
        moved.splice(range, text.into_bytes());
    }
    moved
}

fn moved_seconds(line: &[u8], by: TimeDelta) -> Option<(Range<usize>, String)> {
    date(line)?;
    let start = date_range(line)?.start;
    let range = start..start + SECONDS_LEN;
    let (seconds, separator) = wall_clock(str::from_utf8(line.get(range.clone())?).ok()?)?;
    let seconds = seconds.checked_add_signed(TimeDelta::seconds(by.num_seconds()))?;
    let text = seconds
        .format(&format!("%Y-%m-%d{separator}%H:%M:%S"))
        .to_string();
    Some((range, text))
}

/// Where the text of `"date": "…"` lies, its quotes left out.
fn date_range(line: &[u8]) -> Option<Range<usize>> {
    let key = line.windows(KEY.len()).position(|bytes| bytes == KEY)?;
    let after_key = key + KEY.len();
    let opening = line[after_key..]
        .iter()
        .position(|byte| !matches!(byte, b' ' | b':'))?;
    let start = after_key + opening + 1;
    if line[start - 1] != b'"' {
        return None;
    }
    let len = line[start..].iter().position(|&byte| byte == b'"')?;
    Some(start..start + len)
}

fn wall_clock(text: &str) -> Option<(NaiveDateTime, char)> {
    let separator = text.chars().nth(10)?;
    let format = match separator {
        'T' => "%Y-%m-%dT%H:%M:%S",
        't' => "%Y-%m-%dt%H:%M:%S",
        ' ' => "%Y-%m-%d %H:%M:%S",
        _ => return None,
    };
    Some((NaiveDateTime::parse_from_str(text, format).ok()?, separator))
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    let (seconds, _) = wall_clock(text.get(..SECONDS_LEN)?)?;
    let rest = text[SECONDS_LEN..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match rest {
        "" | "Z" | "z" => TimeDelta::zero(),
        zone => zone_offset(zone)?,
    };
    Some(seconds.and_utc() - offset)
}

/// `+hh:mm` or `+hhmm`, east of Greenwich positive.
fn zone_offset(zone: &str) -> Option<TimeDelta> {
    let on_a_day = format!("1970-01-01T00:00:00{zone}");
    let instant = DateTime::parse_from_str(&on_a_day, "%Y-%m-%dT%H:%M:%S%z").ok()?;
    Some(TimeDelta::seconds(-instant.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: TimeDelta = TimeDelta::hours(1);

    fn shifted_text(line: &str, by: TimeDelta) -> String {
        String::from_utf8(shifted(line.as_bytes(), by)).unwrap()
    }

    #[test]
    fn each_way_to_write_a_date_is_kept() {
        for (before, after) in [
            (
                r#"{"date":"2026-08-21T09:14:07.228334117Z"}"#,
                r#"{"date":"2026-08-21T10:14:07.228334117Z"}"#,
            ),
            (
                r#"{"date": "2026-08-21 23:14:16", "a": 1}"#,
                r#"{"date": "2026-08-22 00:14:16", "a": 1}"#,
            ),
            (
                r#"{"date" : "2026-08-21t09:14:07.5+0200"}"#,
                r#"{"date" : "2026-08-21t10:14:07.5+0200"}"#,
            ),
            (
                r#"{"date":"2026-12-31T23:30:00+00:00"}"#,
                r#"{"date":"2027-01-01T00:30:00+00:00"}"#,
            ),
        ] {
            assert_eq!(shifted_text(before, HOUR), after);
        }
    }

    #[test]
    fn what_has_no_movable_date_is_untouched() {
        for line in [
            "null",
            r#"{"service":"puptoo"}"#,
            r#"{"date": 1787303648.219}"#,
            r#"{"date":"2026-08-21"}"#,
            r#"{"date":"2026-08-21T09:14:07 o'clock"}"#,
            r#"{"date":"2026-08-21T09:14:0"#,
            r#"{"date""#,
            r#"{"status_msg":"said \"date\": \"2026-08-21T09:14:07Z\""}"#,
        ] {
            assert_eq!(shifted_text(line, HOUR), line);
        }
        let not_text = b"{\"a\":\"\xff\",\"date\":\"x\xff\"}";
        assert_eq!(shifted(not_text, HOUR), not_text);
    }

    #[test]
    fn the_zone_counts_in_the_instant() {
        let instant = |text: &str| date(format!(r#"{{"date":"{text}"}}"#).as_bytes());
        assert_eq!(
            instant("2026-08-21T11:14:07.9+02:00"),
            instant("2026-08-21 09:14:07")
        );
        assert_eq!(
            instant("2026-08-21T06:44:07-0230"),
            instant("2026-08-21T09:14:07Z")
        );
    }
}
