use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::super::{Message, canonical_host_id, canonical_request_id, date};
use super::invariants::{self, check_outcome, lenient};
use super::{decode, now};

/// JSON of any shape, as text.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|value| format!("{value:?}")),
        string(),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            object(string(), inner),
        ]
    })
}

fn object(
    key: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let member = (key, value).prop_map(|(key, value)| format!("{key}:{value}"));
    prop::collection::vec(member, 0..12).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn string() -> impl Strategy<Value = String> {
    let escape = r#"\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]"#;
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        prop::collection::vec(prop_oneof![escape, "[ -!a-zA-Z0-9:-]{0,9}"], 0..6)
            .prop_map(|parts| format!("\"{}\"", parts.concat())),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let fields =
        "service|request_id|Status|DATE|org_id|source|account|inventory_id|system_id|status_msg";
    prop_oneof![4 => fields.prop_map(|name| format!("\"{name}\"")), 1 => string()]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        json(),
        "[0-9a-fA-F]{32}(:.{0,3})?".prop_map(|id| serde_json::to_string(&id).unwrap()),
        "2026-08-(1[0-9]|2[0-4])[Tt ]1[0-9]:00:0[0-9](Z|[.][0-9]{0,9}|[+]0130)?"
            .prop_map(|date| format!("\"{date}\"")),
    ]
}

fn check(value: &[u8]) {
    invariants::check(value, now());
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_a_reject(value: Vec<u8>) {
        check(&value);
    }

    #[test]
    fn any_object_is_a_message_or_a_reject_with_storable_texts(value in object(key(), value())) {
        check(value.as_bytes());
    }

    #[test]
    fn any_damage_leaves_a_message_or_a_reject(value in object(key(), value()), at: prop::sample::Index, byte: u8) {
        let mut value = value.into_bytes();
        let at = at.index(value.len());
        value[at] = byte;
        check(&value);
        check(&value[..at]);
    }

    #[test]
    fn our_json_is_json(value in object(key(), json())) {
        // Read by another reader of the same grammar, so that the strategies above stay honest.
        prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&value).is_ok());
        let reject = decode(format!("{value}]")).unwrap_err();
        prop_assert_eq!(reject.reason, super::Reason::Malformed);
    }

    #[test]
    fn a_decoded_message_written_again_decodes_to_itself(
        texts in prop::collection::vec(prop::option::of("[^\\x00]{0,40}"), 6),
        names in prop::collection::vec("[a-zA-Zé ]{1,20}[a-z]", 3),
        id in "[0-9a-fA-F]{32}",
        age in 0i64..600_000_000_000,
    ) {
        let date = now() - TimeDelta::microseconds(age);
        let sent = serde_json::json!({
            "service": names[0], "status": names[1], "source": names[2], "request_id": id,
            "org_id": texts[0], "account": texts[1], "inventory_id": texts[2], "system_id": texts[3],
            "status_msg": texts[4], "ignored": texts[5], "date": date.to_rfc3339(),
        });
        let message = Message::decode(sent.to_string().as_bytes(), &lenient(), now());
        prop_assert_eq!(message.as_ref().unwrap().date, date);
        check_outcome(&message, &lenient(), now());
    }

    #[test]
    fn canonical_ids_are_their_own_canonical_form(
        id in prop_oneof![any::<String>(), "[0-9a-fA-F-]{32,36}(:.*)?", "[0-9A-F]{8}(-[0-9a-f]{4}){3}-[0-9A-F]{12}(:.*)?"],
    ) {
        let request_id = canonical_request_id(&id).into_owned();
        prop_assert_eq!(&canonical_request_id(&request_id), &request_id);
        if let Some(host_id) = canonical_host_id(&id) {
            prop_assert_eq!(canonical_host_id(&host_id), Some(host_id));
        }
    }

    #[test]
    fn both_forms_of_a_uuid_are_one_id(bits in 1u128.., tail in ".*") {
        let uuid = uuid::Uuid::from_u128(bits);
        let (hex, dashed) = (uuid.simple().to_string(), uuid.hyphenated().to_string());
        for form in [hex.to_uppercase(), dashed.to_uppercase(), format!("{hex}:{tail}"), format!("{dashed}:{tail}")] {
            prop_assert_eq!(canonical_request_id(&form), hex.as_str());
        }
        for form in [&hex, &dashed, &hex.to_uppercase(), &dashed.to_uppercase()] {
            prop_assert_eq!(canonical_host_id(form), Some(dashed.clone()));
        }
        for other in [uuid.braced().to_string(), uuid.urn().to_string()] {
            prop_assert_eq!(canonical_request_id(&other), other.as_str());
            prop_assert_eq!(canonical_host_id(&other), Some(other));
        }
    }

    #[test]
    fn a_date_of_the_grammar_is_what_chrono_reads(
        instant in 0i64..4_000_000_000,
        nanos in 0u32..1_000_000_000,
        digits in 0usize..=9,
        blank in "[Tt ]",
        zone in "Z|z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9]|",
    ) {
        let local = DateTime::<Utc>::from_timestamp(instant, nanos).unwrap();
        let fraction = format!(".{nanos:09}");
        let fraction = if digits == 0 { "" } else { &fraction[..=digits] };
        let text = format!("{}{blank}{}{fraction}{zone}", local.format("%Y-%m-%d"), local.format("%H:%M:%S"));
        let spelt_out = match zone.as_str() {
            "" | "z" => "Z".to_owned(),
            zone if zone.len() == 5 => format!("{}:{}", &zone[..3], &zone[3..]),
            zone => zone.to_owned(),
        };
        let expected = format!("{}T{}{fraction}{spelt_out}", local.format("%Y-%m-%d"), local.format("%H:%M:%S"));
        let expected = DateTime::parse_from_rfc3339(&expected).unwrap().to_utc();
        let cut = expected.timestamp_micros();
        prop_assert_eq!(date::parse(&text), DateTime::from_timestamp_micros(cut), "{}", text);
    }

    #[test]
    fn what_is_no_date_for_chrono_is_none_here(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{0,3})?(Z|[+][0-9]{2}:[0-9]{2})") {
        if DateTime::parse_from_rfc3339(&text).is_err() {
            prop_assert_eq!(date::parse(&text), None);
        }
    }
}
