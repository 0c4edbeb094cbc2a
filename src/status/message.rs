use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::json::{Fields, Value};
use super::reject::Defect;
use super::{Field, Reject, Rules, canonical_host_id, canonical_request_id, date, text};

/// How far ahead of now a date may lie (contract, section 1): clocks differ, time zones get lost.
const MAX_AHEAD: TimeDelta = TimeDelta::hours(24);

/// One status of one payload, validated and in canonical form.
///
/// No text is empty, holds U+0000 or, `status_msg` excepted, has more than 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// As [`canonical_request_id`] gives it.
    pub request_id: String,
    /// Trimmed and lower-cased.
    pub service: String,
    /// Trimmed and lower-cased.
    pub source: Option<String>,
    /// Trimmed and lower-cased.
    pub status: String,
    /// As sent, any length.
    pub status_msg: Option<String>,
    /// As sent.
    pub account: Option<String>,
    /// As sent.
    pub org_id: Option<String>,
    /// As [`canonical_host_id`] gives it.
    pub inventory_id: Option<String>,
    /// As [`canonical_host_id`] gives it.
    pub system_id: Option<String>,
    /// When it happened, cut to the microsecond.
    pub date: DateTime<Utc>,
}

impl Message {
    /// The only gate: whatever the bytes, they are a message or a reject.
    ///
    /// Takes the value of a Kafka record; that of a tombstone is empty. `now` decides which dates
    /// are too old or too far ahead.
    ///
    /// # Errors
    ///
    /// A [`Reject`] for the first defect found; with several, any true one may be named.
    pub fn decode(value: &[u8], rules: &Rules, now: DateTime<Utc>) -> Result<Self, Reject> {
        let json = text::from_bytes(value);
        let mut fields = Fields::default();
        read_object(&mut fields, &json)
            .and_then(|()| validate(&fields, rules, now))
            .map_err(|defect| reject(defect, &fields))
    }
}

fn read_object<'a>(fields: &mut Fields<'a>, json: &'a str) -> Result<(), Defect> {
    // serde_json's own message for another type would repeat the whole value.
    let start = json.trim_start_matches([' ', '\t', '\r', '\n']);
    match start.chars().next() {
        None => Err(Defect::empty()),
        Some('{') => fields.read(json).map_err(|error| Defect::broken(&error)),
        Some(_) => Err(Defect::not_an_object(json)),
    }
}

fn validate(fields: &Fields<'_>, rules: &Rules, now: DateTime<Utc>) -> Result<Message, Defect> {
    Validation { fields, rules }.message(now)
}

fn reject(defect: Defect, fields: &Fields<'_>) -> Reject {
    Reject {
        reason: defect.reason,
        detail: defect.detail,
        service: readable_service(fields),
        request_id: readable_request_id(fields),
    }
}

/// What is said of a reject's service; `None` when that itself is not readable.
fn readable_service(fields: &Fields<'_>) -> Option<String> {
    let text = as_text(fields, Field::Service).ok()??;
    let name = name(&text)?;
    Some(text::prefix(&name, text::MAX_CHARS).to_owned())
}

/// As [`readable_service`], for the request id.
fn readable_request_id(fields: &Fields<'_>) -> Option<String> {
    let text = as_text(fields, Field::RequestId).ok()??;
    let id = canonical_request_id(&text);
    (!id.is_empty()).then(|| text::prefix(&id, text::MAX_CHARS).to_owned())
}

/// The value as text, a number as it was written.
fn as_text<'a>(fields: &Fields<'a>, field: Field) -> Result<Option<Cow<'a, str>>, Defect> {
    match fields.value(field) {
        Value::Absent => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(Cow::Borrowed(number))),
        Value::Other(json) => Err(Defect::wrong_type(field, json)),
    }
}

/// The form in which services, sources and statuses are compared. Empty is absent.
fn name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    (!name.is_empty()).then_some(name)
}

/// The rules of the contract's section 1, field by field.
struct Validation<'a> {
    fields: &'a Fields<'a>,
    rules: &'a Rules,
}

impl Validation<'_> {
    fn message(&self, now: DateTime<Utc>) -> Result<Message, Defect> {
        Ok(Message {
            request_id: self.request_id()?,
            service: present(Field::Service, self.name(Field::Service)?)?,
            source: self.if_required(Field::Source, self.name(Field::Source)?)?,
            status: present(Field::Status, self.name(Field::Status)?)?,
            status_msg: self.if_required(Field::StatusMsg, self.as_sent(Field::StatusMsg)?)?,
            account: self.if_required(Field::Account, self.short(Field::Account)?)?,
            org_id: self.if_required(Field::OrgId, self.short(Field::OrgId)?)?,
            inventory_id: self.host_id(Field::InventoryId)?,
            system_id: self.host_id(Field::SystemId)?,
            date: self.date(now)?,
        })
    }

    fn request_id(&self) -> Result<String, Defect> {
        let sent = as_text(self.fields, Field::RequestId)?.filter(|text| !text.is_empty());
        let sent = present(Field::RequestId, sent)?;
        let id = canonical_request_id(&sent);
        match self.rules.request_id_length {
            0 => within_limit(Field::RequestId, &id)?,
            length if id.chars().count() == length => {}
            length => return Err(Defect::request_id_length(&id, length)),
        }
        Ok(id.into_owned())
    }

    fn host_id(&self, field: Field) -> Result<Option<String>, Defect> {
        let id = self.short(field)?;
        let canonical = id.as_deref().and_then(canonical_host_id);
        self.if_required(field, canonical)
    }

    fn name(&self, field: Field) -> Result<Option<String>, Defect> {
        let name = as_text(self.fields, field)?.as_deref().and_then(name);
        if let Some(name) = &name {
            within_limit(field, name)?;
        }
        Ok(name)
    }

    fn short(&self, field: Field) -> Result<Option<String>, Defect> {
        let text = self.as_sent(field)?;
        if let Some(text) = &text {
            within_limit(field, text)?;
        }
        Ok(text)
    }

    fn as_sent(&self, field: Field) -> Result<Option<String>, Defect> {
        let text = as_text(self.fields, field)?.filter(|text| !text.is_empty());
        Ok(text.map(Cow::into_owned))
    }

    fn date(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Defect> {
        let date = match self.fields.value(Field::Date) {
            Value::Absent => None,
            Value::Text(text) if text.is_empty() => None,
            Value::Text(text) => Some(
                date::parse(&text).ok_or_else(|| Defect::invalid_date(&text::excerpt(&text)))?,
            ),
            Value::Number(json) | Value::Other(json) => {
                return Err(Defect::invalid_date(&text::shortened(json)));
            }
        };
        let date = present(Field::Date, date)?;
        self.within_days(date, now)?;
        Ok(date)
    }

    /// Days are UTC days whatever the time of day: a day's partition is kept or dropped as a whole.
    fn within_days(&self, date: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Defect> {
        let age = now.date_naive().signed_duration_since(date.date_naive());
        let days = self.rules.retention_days;
        if age.num_days() > i64::from(days) || date.signed_duration_since(now) > MAX_AHEAD {
            return Err(Defect::date_out_of_range(date, now, days));
        }
        Ok(())
    }

    fn if_required<T>(&self, field: Field, value: Option<T>) -> Result<Option<T>, Defect> {
        match value {
            None if self.rules.requires(field) => Err(Defect::missing(field)),
            value => Ok(value),
        }
    }
}

fn present<T>(field: Field, value: Option<T>) -> Result<T, Defect> {
    value.ok_or_else(|| Defect::missing(field))
}

fn within_limit(field: Field, text: &str) -> Result<(), Defect> {
    match text::chars_beyond(text, text::MAX_CHARS) {
        Some(count) => Err(Defect::too_long(field, text, count)),
        None => Ok(()),
    }
}
