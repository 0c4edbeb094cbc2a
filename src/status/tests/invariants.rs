//! What holds for every outcome of `decode`, whatever the bytes were. The fuzzer in `fuzz/` holds it to the same.

use chrono::{DateTime, SecondsFormat, Timelike, Utc};

use crate::status::{Message, Reject, Rules, canonical_host_id, canonical_request_id};

/// More than any detail needs.
const DETAIL_CHARS: usize = 1_000;
/// The contract's limit for every text but `status_msg`.
const TEXT_CHARS: usize = 255;

/// Demands nothing that can be left out.
pub fn lenient() -> Rules {
    Rules {
        required: vec![],
        request_id_length: 0,
        retention_days: 7,
    }
}

/// Decodes by the default rules and by lenient ones, and holds both outcomes to what is promised.
pub fn check(value: &[u8], now: DateTime<Utc>) {
    let strict = Message::decode(value, &Rules::default(), now);
    check_outcome(&strict, &Rules::default(), now);
    let easy = Message::decode(value, &lenient(), now);
    check_outcome(&easy, &lenient(), now);
    if let Ok(message) = strict {
        assert_eq!(message.request_id.chars().count(), 32);
        assert!(message.org_id.is_some());
        assert_eq!(easy, Ok(message), "fewer demands change no message");
    }
}

/// Whether an outcome can be stored, is in canonical form and decodes to itself.
pub fn check_outcome(outcome: &Result<Message, Reject>, rules: &Rules, now: DateTime<Utc>) {
    match outcome {
        Ok(message) => {
            check_message(message, now);
            let again = Message::decode(encode(message).as_bytes(), rules, now);
            assert_eq!(
                again.as_ref(),
                Ok(message),
                "its own JSON is another message"
            );
        }
        Err(reject) => {
            check_text(reject.service.as_deref(), TEXT_CHARS);
            check_text(reject.request_id.as_deref(), TEXT_CHARS);
            check_text(Some(&reject.detail), DETAIL_CHARS);
        }
    }
}

fn check_message(message: &Message, now: DateTime<Utc>) {
    // Spelt out, so that a new field is not forgotten.
    let Message {
        request_id,
        service,
        source,
        status,
        status_msg,
        account,
        org_id,
        inventory_id,
        system_id,
        date,
    } = message;
    for name in [Some(service), Some(status), source.as_ref()] {
        check_text(name.map(String::as_str), TEXT_CHARS);
        assert!(name.is_none_or(|name| name.trim() == name), "{name:?}");
    }
    for text in [account, org_id] {
        check_text(text.as_deref(), TEXT_CHARS);
    }
    check_text(status_msg.as_deref(), usize::MAX);
    check_text(Some(request_id), TEXT_CHARS);
    assert_eq!(canonical_request_id(request_id), request_id.as_str());
    for id in [inventory_id, system_id] {
        check_text(id.as_deref(), TEXT_CHARS);
        assert_eq!(&id.as_deref().and_then(canonical_host_id), id);
    }
    assert_eq!(date.nanosecond() % 1_000, 0);
    let days = now.date_naive() - date.date_naive();
    assert!((-1..=7).contains(&days.num_days()), "{date}");
}

/// PostgreSQL can hold it.
fn check_text(text: Option<&str>, limit: usize) {
    let Some(text) = text else { return };
    let is_storable = !text.is_empty() && !text.contains('\0') && text.chars().count() <= limit;
    assert!(is_storable, "{text:?}");
}

/// A message as JSON, its keys and texts as a producer would write them.
pub fn encode(message: &Message) -> String {
    serde_json::json!({
        "service": message.service,
        "request_id": message.request_id,
        "status": message.status,
        "date": message.date.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        "org_id": message.org_id,
        "source": message.source,
        "account": message.account,
        "inventory_id": message.inventory_id,
        "system_id": message.system_id,
        "status_msg": message.status_msg,
    })
    .to_string()
}
