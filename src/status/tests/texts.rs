use super::super::{Field, Message, Reason, Rules};
use super::{ID, accept, at, decode, now, reason, with};

#[test]
fn names_are_trimmed_and_lower_cased() {
    let message = accept(
        r#""service":"\u2003 PupToo\t","status":"\u00a0\u0085 ÉCHEC\u3000","source":" Insights-Client ""#,
    );
    assert_eq!(message.service, "puptoo");
    assert_eq!(message.status, "échec");
    assert_eq!(message.source.as_deref(), Some("insights-client"));
}

#[test]
fn other_texts_stay_as_sent() {
    let message = accept(
        r#""org_id":" ORG ","account":" A ","inventory_id":" Host ","system_id":"Ünit","status_msg":" Tab\t""#,
    );
    assert_eq!(message.org_id.as_deref(), Some(" ORG "));
    assert_eq!(message.account.as_deref(), Some(" A "));
    assert_eq!(message.inventory_id.as_deref(), Some(" Host "));
    assert_eq!(message.system_id.as_deref(), Some("Ünit"));
    assert_eq!(message.status_msg.as_deref(), Some(" Tab\t"));
}

#[test]
fn missing_null_and_empty_are_absent() {
    let expected = accept(r#""other":1"#);
    for nothing in ["null", r#""""#] {
        let message = accept(&format!(
            r#""source":{nothing},"account":{nothing},"inventory_id":{nothing},"system_id":{nothing},"status_msg":{nothing}"#
        ));
        assert_eq!(message, expected);
    }
    assert_eq!(expected.source, None);
    assert_eq!(expected.status_msg, None);
}

#[test]
fn blank_is_absent_only_where_it_is_trimmed() {
    assert_eq!(accept(r#""source":" \n ""#).source, None);
    assert_eq!(accept(r#""account":" ""#).account.as_deref(), Some(" "));
    assert_eq!(reason(r#""service":" ""#), Reason::MissingField);
    assert_eq!(reason(r#""status":"\u2028""#), Reason::MissingField);
    assert_eq!(reason(r#""request_id":" ""#), Reason::InvalidRequestId);
    assert_eq!(reason(r#""date":" ""#), Reason::InvalidDate);
}

#[test]
fn what_is_required_must_be_there() {
    for field in ["service", "request_id", "status", "date", "org_id"] {
        for nothing in ["null", r#""""#] {
            assert_eq!(
                reason(&format!(r#""{field}":{nothing}"#)),
                Reason::MissingField
            );
        }
    }
    let reject = decode(r#"{"service":"puptoo"}"#).unwrap_err();
    assert_eq!(reject.reason, Reason::MissingField);
}

#[test]
fn a_deployment_says_what_else_is_required() {
    let none = Rules {
        required: vec![],
        ..Rules::default()
    };
    let value = with(r#""org_id":null"#);
    assert_eq!(
        Message::decode(value.as_bytes(), &none, now())
            .unwrap()
            .org_id,
        None
    );
    // These are not a deployment's to leave out.
    for field in Field::ALL
        .into_iter()
        .filter(|field| field.is_indispensable())
    {
        let value = with(&format!(r#""{field}":null"#));
        let reject = Message::decode(value.as_bytes(), &none, now()).unwrap_err();
        assert_eq!(reject.reason, Reason::MissingField, "{field}");
    }
    for field in Field::ALL {
        let rules = Rules {
            required: vec![field],
            ..Rules::default()
        };
        let value = with(&format!(r#""{field}":null"#));
        let reject = Message::decode(value.as_bytes(), &rules, now()).unwrap_err();
        assert_eq!(reject.reason, Reason::MissingField, "{field}");
        assert!(reject.detail.starts_with(field.name()), "{}", reject.detail);
    }
}

#[test]
fn a_number_is_the_text_it_was_written_with() {
    let huge = "123456789012345678901234567890.10";
    for number in ["-1", "1.0", "0", "-0.0e-7", "1e999", huge] {
        let message = accept(&format!(
            r#""org_id":{number},"account":{number},"service":{number},"inventory_id":{number},"status_msg": {number} "#
        ));
        for text in [
            message.org_id,
            message.account,
            message.inventory_id,
            message.status_msg,
        ] {
            assert_eq!(text.as_deref(), Some(number));
        }
        assert_eq!(message.service, number);
    }
    assert_eq!(accept(r#""service":1E5"#).service, "1e5");
    assert_eq!(accept(r#""account":1E5"#).account.as_deref(), Some("1E5"));
    let rules = Rules {
        request_id_length: 2,
        ..Rules::default()
    };
    let message = Message::decode(with(r#""request_id":-1"#).as_bytes(), &rules, now()).unwrap();
    assert_eq!(message.request_id, "-1");
}

#[test]
fn other_types_are_wrong_in_text_fields() {
    let texts = Field::ALL.into_iter().filter(|field| *field != Field::Date);
    for field in texts {
        for value in ["true", "false", "[]", "{}", r#"["x"]"#, r#"{"a":{"b":1}}"#] {
            assert_eq!(
                reason(&format!(r#""{field}":{value}"#)),
                Reason::WrongType,
                "{field} {value}"
            );
        }
    }
}

#[test]
fn texts_have_at_most_255_characters_but_status_msg() {
    let (most, more) = ("é".repeat(255), "é".repeat(256));
    for field in [
        "service",
        "status",
        "source",
        "account",
        "org_id",
        "inventory_id",
        "system_id",
    ] {
        accept(&format!(r#""{field}":"{most}""#));
        assert_eq!(
            reason(&format!(r#""{field}":"{more}""#)),
            Reason::TooLong,
            "{field}"
        );
    }
    // The length is that of the trimmed, lower-cased text: İ becomes two characters.
    accept(&format!(r#""service":" {most} ""#));
    accept(&format!(r#""service":"{}i""#, "İ".repeat(127)));
    assert_eq!(
        reason(&format!(r#""service":"{}""#, "İ".repeat(128))),
        Reason::TooLong
    );
    assert_eq!(reason(&format!(r#""account":"{most} ""#)), Reason::TooLong);
    let long = "x".repeat(100_000);
    assert_eq!(
        accept(&format!(r#""status_msg":"{long}""#)).status_msg,
        Some(long)
    );
}

#[test]
fn request_ids_have_the_deployments_length() {
    assert_eq!(reason(r#""request_id":"12345""#), Reason::InvalidRequestId);
    assert_eq!(
        reason(&format!(r#""request_id":" {ID}""#)),
        Reason::InvalidRequestId
    );
    let other = "É".repeat(32);
    assert_eq!(
        accept(&format!(r#""request_id":"{other}""#)).request_id,
        other
    );

    let off = Rules {
        request_id_length: 0,
        ..Rules::default()
    };
    let decode = |id: &str| {
        let value = with(&format!(r#""request_id":"{id}""#));
        Message::decode(value.as_bytes(), &off, now())
    };
    assert_eq!(decode("12345").unwrap().request_id, "12345");
    assert_eq!(decode(" ").unwrap().request_id, " ");
    assert!(decode(&"é".repeat(255)).is_ok());
    assert_eq!(
        decode(&"é".repeat(256)).unwrap_err().reason,
        Reason::TooLong
    );
    assert_eq!(decode("").unwrap_err().reason, Reason::MissingField);
    // What counts is the canonical id.
    assert_eq!(
        decode(&format!("{ID}:{}", "é".repeat(256)))
            .unwrap()
            .request_id,
        ID
    );
}

#[test]
fn request_ids_are_canonical() {
    for form in [
        "747C1300667B441E8E8F448337588EC0",
        "747c1300-667b-441e-8e8f-448337588ec0",
        "747C1300-667B-441E-8E8F-448337588EC0",
        "747c1300-667b-441e-8e8f-448337588ec0:host-1:2",
        "747C1300667B441E8E8F448337588EC0:",
    ] {
        assert_eq!(accept(&format!(r#""request_id":"{form}""#)).request_id, ID);
    }
}

#[test]
fn host_ids_are_canonical() {
    let message = accept(
        r#""inventory_id":"766637DD653F4BF099A1A117B455CD96","system_id":"766637DD-653F-4BF0-99A1-A117B455CD96""#,
    );
    let dashed = Some("766637dd-653f-4bf0-99a1-a117b455cd96");
    assert_eq!(message.inventory_id.as_deref(), dashed);
    assert_eq!(message.system_id.as_deref(), dashed);
    for nil in [
        "00000000-0000-0000-0000-000000000000",
        "00000000000000000000000000000000",
    ] {
        let message = accept(&format!(r#""inventory_id":"{nil}","system_id":"{nil}""#));
        assert_eq!((message.inventory_id, message.system_id), (None, None));
    }
}

#[test]
fn a_uuid_has_two_forms_only() {
    let rules = Rules {
        request_id_length: 0,
        ..Rules::default()
    };
    for id in [
        "{747c1300-667b-441e-8e8f-448337588ec0}",
        "urn:uuid:747c1300-667b-441e-8e8f-448337588ec0",
        "{747C1300667B441E8E8F448337588EC0}:host",
        "747C1300667B-441E-8E8F-448337588EC0",
        "747C-1300667B-441E-8E8F-448337588EC0",
        "747C1300-667B-441E-8E8F-448337588ECÉ",
        "747C1300667B441E8E8F448337588EC:0",
        "747C1300667B441E8E8F448337588EC0 ",
        "747C1300667B441E8E8F448337588EC0X:host",
        "x:747C1300667B441E8E8F448337588EC0",
        "{00000000-0000-0000-0000-000000000000}",
    ] {
        let value = with(&format!(
            r#""request_id":"{id}","inventory_id":"{id}","system_id":"{id}""#
        ));
        let message = Message::decode(value.as_bytes(), &rules, now()).unwrap();
        assert_eq!(message.request_id, id);
        assert_eq!(message.inventory_id.as_deref(), Some(id));
        assert_eq!(message.system_id.as_deref(), Some(id));
    }
}

#[test]
fn what_postgres_cannot_hold_becomes_a_replacement_character() {
    for (escaped, text) in [
        (r"a\udcffb", "a\u{fffd}b"),
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83d\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83dA", "\u{fffd}A"),
        (r"\ud83d\u0041", "\u{fffd}A"),
        (r"\ud83d\n", "\u{fffd}\n"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (r"\uD83D\uDE00", "\u{1f600}"),
        (r"\u0000x\u0000", "\u{fffd}x\u{fffd}"),
        (r"\\u0000", "\\u0000"),
        (r#"\"\\\/\b\f\n\r\t\u00e9"#, "\"\\/\u{8}\u{c}\n\r\té"),
    ] {
        assert_eq!(
            accept(&format!(r#""status_msg":"{escaped}""#))
                .status_msg
                .as_deref(),
            Some(text)
        );
        let name = format!("{text}x").to_lowercase();
        assert_eq!(
            accept(&format!(r#""source":"{escaped}x""#)).source,
            Some(name.trim().to_owned())
        );
    }
    // It is not a blank: nothing is trimmed to emptiness.
    assert_eq!(accept(r#""service":" \u0000 ""#).service, "\u{fffd}");
}

#[test]
fn invalid_utf8_becomes_a_replacement_character() {
    let (head, tail) = (with(r#""x":"#), with(r#""status_msg":""#));
    let tail = tail.strip_suffix('}').unwrap();
    let mut value = tail.as_bytes().to_vec();
    value.extend(b"a\xffb\xc3\"}");
    assert_eq!(
        decode(value).unwrap().status_msg.as_deref(),
        Some("a\u{fffd}b\u{fffd}")
    );

    let mut unknown = head.strip_suffix('}').unwrap().as_bytes().to_vec();
    unknown.extend(b"\"\xff\"}");
    assert_eq!(decode(unknown).unwrap().date, at("2026-08-21T09:00:00Z"));
}
