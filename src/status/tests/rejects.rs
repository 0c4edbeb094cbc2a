use super::super::Reason;
use super::{ID, decode, refuse};

#[test]
fn a_detail_names_the_field_what_was_found_and_what_is_allowed() {
    for (fields, detail) in [
        (
            r#""status":" ""#,
            "status is missing, null or blank, but it is required",
        ),
        (
            r#""org_id":null"#,
            "org_id is missing, null or empty, but it is required",
        ),
        (
            r#""source":[1]"#,
            "source is [1]; allowed are a string, a number and null",
        ),
        (
            r#""request_id":"12345""#,
            "request_id is \"12345\" with 5 characters; allowed are exactly 32; a UUID counts as its 32 hex digits",
        ),
        (
            r#""date":1787303648.219"#,
            "date is 1787303648.219; allowed is RFC 3339, such as \"2026-08-21T09:14:08.219543Z\", without a zone UTC",
        ),
        (
            r#""date":"2026-08-01T09:00:00""#,
            "date is 2026-08-01T09:00:00Z; allowed are the UTC days from 7 before today to 24 hours after now, which was 2026-08-21T12:00:00Z",
        ),
    ] {
        assert_eq!(refuse(fields).detail, detail);
    }
    let long = refuse(&format!(r#""account":"{}""#, "x".repeat(1000)));
    assert_eq!(
        long.detail,
        format!(
            "account is \"{}\"... with 1000 characters; allowed are at most 255",
            "x".repeat(60)
        )
    );
}

#[test]
fn a_detail_is_short_on_one_line_and_storable() {
    let long = r"\u0000\n\udcff".repeat(10_000);
    for fields in [
        format!(r#""account":"{long}""#),
        format!(r#""account":["{long}"]"#),
        format!("\"account\":[{}1]", "\n".repeat(1000)),
        format!(r#""date":"{long}""#),
        format!(r#""date":{}"#, "1".repeat(1000)),
        format!(r#""request_id":"{long}""#),
    ] {
        let detail = refuse(&fields).detail;
        assert!(detail.len() < 600, "{detail}");
        assert!(!detail.contains(['\0', '\n']), "{detail:?}");
    }
    for value in [format!("\"{long}\""), "\0".repeat(1000), "[".repeat(1000)] {
        let detail = decode(value).unwrap_err().detail;
        assert!(
            detail.len() < 600 && !detail.contains(['\0', '\n']),
            "{detail:?}"
        );
    }
}

#[test]
fn a_reject_carries_what_could_be_read() {
    let reject = refuse(r#""service":" PupToo ","date":1"#);
    assert_eq!(reject.service.as_deref(), Some("puptoo"));
    assert_eq!(reject.request_id.as_deref(), Some(ID));

    let reject = refuse(r#""service":7,"request_id":-1"#);
    assert_eq!(reject.service.as_deref(), Some("7"));
    assert_eq!(reject.request_id.as_deref(), Some("-1"));

    let reject = refuse(r#""service":{},"request_id":"""#);
    assert_eq!((reject.service, reject.request_id), (None, None));
}

#[test]
fn what_could_be_read_is_bounded_and_storable() {
    let long = r"\u0000é".repeat(500);
    let reject = refuse(&format!(r#""service":"{long}","request_id":"{long}""#));
    for text in [reject.service, reject.request_id] {
        let text = text.unwrap();
        assert_eq!(text.chars().count(), 255);
        assert!(!text.contains('\0'));
    }
}

#[test]
fn reasons_have_the_contracts_names() {
    let names = Reason::ALL.map(Reason::as_str);
    assert_eq!(
        names,
        [
            "malformed",
            "missing_field",
            "wrong_type",
            "too_long",
            "invalid_request_id",
            "invalid_date",
            "date_out_of_range",
            "too_many_names",
            "refused_by_database",
        ]
    );
}
