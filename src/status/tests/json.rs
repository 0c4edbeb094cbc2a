use super::super::Reason;
use super::{ID, accept, decode, reason, refuse, with};

#[test]
fn unknown_fields_are_ignored_whatever_they_hold() {
    let expected = accept(r#""status_msg":null"#);
    let depth = 200_000;
    let deep = format!("{}{}", r#"[{"a":"#.repeat(depth), "}]".repeat(depth));
    for json in [
        "null",
        "true",
        "1e999",
        "-0.1E-999",
        r#""\ud800 \u0000""#,
        r#"{"service":"other","":[1,{"a":null}]}"#,
        &deep.replace(":}", ":0}"),
    ] {
        assert_eq!(accept(&format!(r#""unknown":{json}"#)), expected);
    }
    assert_eq!(
        accept(r#""\udcff":1,"":2,"service ":3,"\u0000":4"#),
        expected
    );
}

#[test]
fn depth_alone_is_no_defect_in_a_text_field() {
    let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
    assert_eq!(reason(&format!(r#""org_id":{deep}"#)), Reason::WrongType);
}

#[test]
fn of_a_repeated_key_the_last_one_wins() {
    assert_eq!(accept(r#""service":[1],"service":"last""#).service, "last");
    assert_eq!(accept(r#""source":"a","SOURCE":null"#).source, None);
    assert_eq!(reason(r#""org_id":null"#), Reason::MissingField);
    assert_eq!(
        reason(r#""service":"good","service":{}"#),
        Reason::WrongType
    );
    assert_eq!(
        reason(r#""date":"2026-08-21T09:00:00Z","Date":1"#),
        Reason::InvalidDate
    );
}

#[test]
fn keys_match_without_regard_to_ascii_case() {
    let message = accept(r#""SERVICE":"a","Status_Msg":"b","\u0053ource":"c","sYSTEM_iD":"d""#);
    assert_eq!(message.service, "a");
    assert_eq!(message.status_msg.as_deref(), Some("b"));
    assert_eq!(message.source.as_deref(), Some("c"));
    assert_eq!(message.system_id.as_deref(), Some("d"));
    // Only ASCII: the long s and the Kelvin sign are letters of their own.
    assert_eq!(accept(r#""ſource":"x""#).source, None);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let message = decode([b"\xef\xbb\xbf", with(r#""x":1"#).as_bytes()].concat()).unwrap();
    assert_eq!(message.request_id, ID);
}

#[test]
fn space_around_the_object_is_json_space_only() {
    assert!(decode(format!(" \r\n\t{}\n ", with(r#""x":1"#))).is_ok());
    assert!(decode(format!("\u{a0}{}", with(r#""x":1"#))).is_err());
}

#[test]
fn anything_but_one_object_is_malformed() {
    let good = with(r#""x":1"#);
    for value in [
        "",
        " ",
        "\u{feff}",
        "null",
        "[]",
        "1",
        r#""text""#,
        "{",
        "}",
        "service",
        &format!("[{good}]"),
        &format!("{good}{good}"),
        &format!("{good},"),
        &format!("{good} x"),
        &good[..good.len() - 1],
        "{'service':'puptoo'}",
    ] {
        let reject = decode(value).unwrap_err();
        assert_eq!(reject.reason, Reason::Malformed, "{value}");
    }
}

#[test]
fn broken_json_is_malformed_wherever_it_stands() {
    for member in [
        r#""x":NaN"#,
        r#""x":[-Infinity]"#,
        r#""x":Infinity"#,
        r#""x":01"#,
        r#""x":+1"#,
        r#""x":1."#,
        r#""x":.5"#,
        r#""x":1e"#,
        r#""x":-"#,
        r#""x":"\x41""#,
        r#""x":"\u12g4""#,
        "\"x\":\"a\u{0}b\"",
        "\"status_msg\":\"a\nb\"",
        "\"status\u{1f}msg\":1",
        r#""x":[1,]"#,
        r#""x":{"a":1,}"#,
        r#""x":{a:1}"#,
        r#""x" 1"#,
        r#""x":1,"#,
        r#"x:1"#,
        r#"1:1"#,
        r#""x":tru"#,
        r#""service":nul"#,
        r#""x":1 /* comment */"#,
    ] {
        assert_eq!(reason(member), Reason::Malformed, "{member}");
    }
}

#[test]
fn invalid_utf8_outside_of_a_string_is_malformed() {
    let mut value = with(r#""x":1"#).into_bytes();
    value.push(0xff);
    assert_eq!(decode(value).unwrap_err().reason, Reason::Malformed);
}

#[test]
fn what_stood_before_the_fault_is_read() {
    let reject = decode(format!(
        r#"{{"service":" PUPTOO ","request_id":"{}:x","hits":[NaN]}}"#,
        ID.to_uppercase()
    ))
    .unwrap_err();
    assert_eq!(reject.service.as_deref(), Some("puptoo"));
    assert_eq!(reject.request_id.as_deref(), Some(ID));
    assert_eq!(refuse(r#""x":NaN"#).request_id.as_deref(), Some(ID));
}
