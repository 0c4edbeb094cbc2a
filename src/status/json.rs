//! From JSON text to the values of the fields, each as it was written.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Field;
use super::text::unescape;

/// A field's value, before any rule has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Missing or null; whether a text counts as absent too is the field's own rule.
    Absent,
    Text(Cow<'a, str>),
    /// The text the number was written with.
    Number(&'a str),
    /// `true`, `false`, an array or an object, as JSON.
    Other(&'a str),
}

/// The fields of one object.
///
/// Values stay raw JSON until they are asked for: a repeated key then costs nothing and cannot
/// reject a message by its earlier values, and numbers keep the text they were written with.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    raw: [Option<&'a str>; Field::ALL.len()],
}

impl<'a> Fields<'a> {
    /// Reads one object and nothing after it.
    ///
    /// # Errors
    ///
    /// On text that is not one JSON object. What stood before the fault can still be asked for.
    pub fn read(&mut self, json: &'a str) -> serde_json::Result<()> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.deserialize_map(Collect(self))?;
        deserializer.end()
    }

    pub fn value(&self, field: Field) -> Value<'a> {
        let Some(raw) = self.raw[field as usize] else {
            return Value::Absent;
        };
        match raw.as_bytes().first() {
            None | Some(b'n') => Value::Absent,
            Some(b'"') => Value::Text(unescape(unquoted(raw))),
            Some(b't' | b'f' | b'[' | b'{') => Value::Other(raw),
            Some(_) => Value::Number(raw),
        }
    }
}

fn unquoted(string: &str) -> &str {
    string.get(1..string.len() - 1).unwrap_or_default()
}

/// Files the values of an object under their fields, also those before a fault.
///
/// Keys and values are taken as `RawValue`s because serde_json then only checks their syntax: it does
/// so without recursion (any depth), without reading numbers (any size) and without decoding
/// escapes (lone surrogates).
struct Collect<'f, 'a>(&'f mut Fields<'a>);

impl<'a> Visitor<'a> for Collect<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<&'a RawValue>()? {
            match Field::of_key(&unescape(unquoted(key.get()))) {
                Some(field) => {
                    let value = object.next_value::<&'a RawValue>()?;
                    self.0.raw[field as usize] = Some(value.get());
                }
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
