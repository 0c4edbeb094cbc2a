//! From a message's bytes to text that PostgreSQL can store: valid UTF-8 without U+0000.

use std::borrow::Cow;
use std::char::REPLACEMENT_CHARACTER;

/// The longest text a field may hold, in characters; `status_msg` alone is free of it.
pub(super) const MAX_CHARS: usize = 255;

/// How much of a wrong value a reject's detail repeats, in characters.
const EXCERPT_CHARS: usize = 60;

/// The value as text: without a byte order mark, invalid UTF-8 as U+FFFD.
///
/// Borrows when there is nothing to repair, which is all but always.
pub(super) fn from_bytes(value: &[u8]) -> Cow<'_, str> {
    let value = value.strip_prefix(b"\xef\xbb\xbf").unwrap_or(value);
    // The check alone is several times faster than the repair that finds nothing to do.
    match str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value),
    }
}

/// Resolves the escapes of a JSON string that is known to be well-formed.
///
/// Lone surrogates and U+0000, which neither Rust nor PostgreSQL can hold, become one U+FFFD each.
pub(super) fn unescape(escaped: &str) -> Cow<'_, str> {
    if !escaped.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(escaped);
    }
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, escape)) = rest.split_once('\\') {
        let (character, tail) = resolve(escape);
        text.push_str(plain);
        text.push(character);
        rest = tail;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that an escape stands for, and what follows it. `escape` starts after the backslash.
fn resolve(escape: &str) -> (char, &str) {
    let mut tail = escape.chars();
    let character = match tail.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return resolve_unicode(tail.as_str()),
        Some(literal) => literal,
        None => REPLACEMENT_CHARACTER,
    };
    (character, tail.as_str())
}

/// As [`resolve`], but `digits` starts after the `u`.
fn resolve_unicode(digits: &str) -> (char, &str) {
    let Some((first, tail)) = code_unit(digits) else {
        return (REPLACEMENT_CHARACTER, digits);
    };
    if (0xd800..0xdc00).contains(&first)
        && let Some((second, tail)) = tail.strip_prefix("\\u").and_then(code_unit)
        && (0xdc00..0xe000).contains(&second)
    {
        let pair = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (storable(pair), tail);
    }
    (storable(first), tail)
}

/// Four hex digits and what follows them.
fn code_unit(digits: &str) -> Option<(u32, &str)> {
    let (unit, tail) = digits.split_at_checked(4)?;
    Some((u32::from_str_radix(unit, 16).ok()?, tail))
}

fn storable(code_point: u32) -> char {
    match code_point {
        0 => REPLACEMENT_CHARACTER,
        _ => char::from_u32(code_point).unwrap_or(REPLACEMENT_CHARACTER),
    }
}

/// The number of characters if there are more than `limit`; cheap for the short texts of a usual message.
pub(super) fn chars_beyond(text: &str, limit: usize) -> Option<usize> {
    if text.len() <= limit {
        return None;
    }
    let count = text.chars().count();
    (count > limit).then_some(count)
}

/// The first `limit` characters.
pub(super) fn prefix(text: &str, limit: usize) -> &str {
    match text.char_indices().nth(limit) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Text for a reject's detail: on one line, quoted, and cut to what a reader needs to recognise it.
pub(super) fn excerpt(text: &str) -> String {
    let start = prefix(text, EXCERPT_CHARS);
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("{start:?}{more}")
}

/// JSON for a reject's detail: as [`excerpt`], but not quoted, since a number is not a string.
pub(super) fn shortened(json: &str) -> String {
    let start = prefix(json, EXCERPT_CHARS);
    let more = if start.len() < json.len() { "..." } else { "" };
    format!("{}{more}", start.escape_debug())
}
