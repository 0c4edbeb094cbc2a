//! Event times as producers write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// The instant that a text names (contract, section 1): `YYYY-MM-DD`, then `T`, `t` or one blank, `hh:mm:ss`, up to nine fraction digits and
/// `Z`, `z`, `±hh:mm`, `±hhmm` or nothing, which means UTC. The fraction is cut to microseconds.
///
/// Hand-written because chrono's parsers also take second 60 and any number of fraction digits,
/// and want a zone.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let mut cursor = Cursor(text.as_bytes());
    let date = cursor.date()?;
    cursor.one_of(b"Tt ")?;
    let local = cursor.time_on(date)?;
    let offset = cursor.offset()?;
    if !cursor.0.is_empty() {
        return None;
    }
    Some(local.checked_sub_signed(offset)?.and_utc())
}

/// What is still to be read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn date(&mut self) -> Option<NaiveDate> {
        let year = self.digits::<4>()?;
        self.one_of(b"-")?;
        let month = self.digits::<2>()?;
        self.one_of(b"-")?;
        let day = self.digits::<2>()?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    }

    fn time_on(&mut self, date: NaiveDate) -> Option<NaiveDateTime> {
        let hour = self.digits::<2>()?;
        self.one_of(b":")?;
        let minute = self.digits::<2>()?;
        self.one_of(b":")?;
        let second = self.digits::<2>()?;
        let microsecond = self.fraction()?;
        date.and_hms_micro_opt(hour, minute, second, microsecond)
    }

    /// Microseconds; digits beyond the sixth are cut, not rounded.
    fn fraction(&mut self) -> Option<u32> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0'));
        Some(number(padded.take(6)))
    }

    fn offset(&mut self) -> Option<TimeDelta> {
        let sign = match self.0.first() {
            None => return Some(TimeDelta::zero()),
            Some(b'Z' | b'z') => {
                self.0 = &self.0[1..];
                return Some(TimeDelta::zero());
            }
            Some(_) => self.one_of(b"+-")?,
        };
        let hours = self.digits::<2>().filter(|hours| *hours < 24)?;
        let _ = self.one_of(b":");
        let minutes = self.digits::<2>().filter(|minutes| *minutes < 60)?;
        let ahead = TimeDelta::minutes(i64::from(hours * 60 + minutes));
        Some(if sign == b'+' { ahead } else { -ahead })
    }

    fn digits<const N: usize>(&mut self) -> Option<u32> {
        let (digits, rest) = self.0.split_first_chunk::<N>()?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(number(digits.iter().copied()))
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        if !allowed.contains(byte) {
            return None;
        }
        self.0 = rest;
        Some(*byte)
    }
}

fn number(digits: impl Iterator<Item = u8>) -> u32 {
    digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}
