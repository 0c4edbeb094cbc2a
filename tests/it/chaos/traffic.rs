//! The messages: what each is follows from the seed and its number alone.

use chrono::{SecondsFormat, TimeDelta, Utc};
use payload_tracker::status::Reason;
use sea_orm::sqlx::{self, PgPool};
use serde_json::{Value, json};

use super::PARTITIONS;

/// Of so many messages a few are rejects.
const OUT_OF: u64 = 10_000;
const REJECTS_OF_A_REASON: u64 = 50;
const TOMBSTONES: u64 = 20;
const POISON: u64 = 2;
/// Precedes a message's number in its text.
const MARK: &[u8] = b"message ";

/// The reasons that a message's content alone is enough for.
const REASONS: [Reason; 7] = [
    Reason::Malformed,
    Reason::MissingField,
    Reason::WrongType,
    Reason::TooLong,
    Reason::InvalidRequestId,
    Reason::InvalidDate,
    Reason::DateOutOfRange,
];

/// What a message is, and so what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Good,
    Bad(Reason),
    /// Without a value.
    Tombstone,
    /// The database refuses its row.
    Poison,
}

impl Kind {
    pub fn of(seed: u64, number: u64) -> Self {
        let mut left = scattered(seed ^ number) % OUT_OF;
        for reason in REASONS {
            if left < REJECTS_OF_A_REASON {
                return Self::Bad(reason);
            }
            left -= REJECTS_OF_A_REASON;
        }
        match left {
            left if left < TOMBSTONES => Self::Tombstone,
            left if left < TOMBSTONES + POISON => Self::Poison,
            _ => Self::Good,
        }
    }

    /// The reason it must be rejected for; none if it must be stored.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Good => None,
            Self::Bad(reason) => Some(reason.as_str()),
            Self::Tombstone => Some(Reason::Malformed.as_str()),
            Self::Poison => Some(Reason::RefusedByDatabase.as_str()),
        }
    }
}

/// A number that looks like any other: the last steps of SplitMix64.
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A message as it is sent.
pub struct Sendable {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// Five messages a payload; they go to different partitions.
pub fn request_id(number: u64) -> String {
    format!("{:032x}", number / 5 + 1)
}

pub fn status_msg(number: u64) -> String {
    format!("message {number}")
}

pub fn message(seed: u64, number: u64) -> Sendable {
    let kind = Kind::of(seed, number);
    let value = match kind {
        Kind::Tombstone => None,
        kind => Some(value(kind, number)),
    };
    Sendable {
        partition: (scattered(!number) % u64::from(PARTITIONS)) as i32,
        key: value.is_none().then(|| status_msg(number).into_bytes()),
        value,
    }
}

fn value(kind: Kind, number: u64) -> Vec<u8> {
    let mut fields = good(number);
    if kind == Kind::Poison {
        fields["status_msg"] = json!(format!("{} is poison", status_msg(number)));
    }
    if let Kind::Bad(reason) = kind {
        spoil(&mut fields, reason);
    }
    let mut value = fields.to_string().into_bytes();
    if kind == Kind::Bad(Reason::Malformed) {
        value.pop();
    }
    value
}

/// Names and days come up over and over, so that they are made sure of between faults too.
fn good(number: u64) -> Value {
    let days = if number.is_multiple_of(1_000) {
        number / 1_000 % 6
    } else {
        0
    };
    let date = Utc::now() - TimeDelta::days(days as i64);
    json!({
        "service": format!("service-{}", number % 5),
        "source": format!("source-{}", number / 7_000),
        "request_id": request_id(number),
        "inventory_id": format!("766637dd-653f-4bf0-99a1-{:012x}", number / 5),
        "account": "6089719",
        "org_id": "11789772",
        "status": format!("step-{}", number / 3_000),
        "status_msg": status_msg(number),
        "date": date.to_rfc3339_opts(SecondsFormat::Micros, true),
    })
}

fn spoil(fields: &mut Value, reason: Reason) {
    let (field, value) = match reason {
        Reason::MissingField => ("org_id", Value::Null),
        Reason::WrongType => ("service", json!({})),
        Reason::TooLong => ("account", json!("x".repeat(256))),
        Reason::InvalidRequestId => ("request_id", json!("short")),
        Reason::InvalidDate => ("date", json!(1_787_303_648)),
        Reason::DateOutOfRange => ("date", json!("2001-01-01T00:00:00Z")),
        _ => return,
    };
    fields[field] = value;
}

/// The number of a message, by its text.
pub fn number_in(text: &[u8]) -> Option<u64> {
    let at = text.windows(MARK.len()).position(|window| window == MARK)?;
    let digits = &text[at + MARK.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Has the database refuse rows as it would for a value that it cannot hold.
pub async fn refuse_poison(pool: &PgPool) {
    let statements = "
        CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'poison' USING ERRCODE = 'untranslatable_character';
        END $$;
        CREATE TRIGGER refuse_poison BEFORE INSERT ON payload_statuses
            FOR EACH ROW WHEN (NEW.status_msg LIKE '%is poison') EXECUTE FUNCTION refuse_poison();";
    sqlx::raw_sql(statements).execute(pool).await.unwrap();
}

#[test]
fn a_message_is_known_by_its_text() {
    for number in 0..20_000 {
        let message = message(1, number);
        let text = message.value.or(message.key).unwrap();
        assert_eq!(number_in(&text), Some(number));
    }
}

#[test]
fn every_kind_is_sent() {
    let kinds: Vec<Kind> = (0..20_000).map(|number| Kind::of(1, number)).collect();
    for reason in REASONS {
        assert!(kinds.contains(&Kind::Bad(reason)), "{reason}");
    }
    assert!(kinds.contains(&Kind::Tombstone));
}
