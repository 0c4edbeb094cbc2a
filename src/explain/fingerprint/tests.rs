use proptest::prelude::*;

use super::*;

fn text(message: &str) -> String {
    Fingerprint::of(message).text
}

#[test]
fn ids_numbers_paths_and_quoted_values_are_replaced() {
    for (message, expected) in [
        ("", ""),
        ("  timed   out\n\tafter 30s ", "timed out after <n>s"),
        ("took 12.5 ms, limit 1,000", "took <n> ms, limit <n>"),
        ("HTTP 503 from 10.0.0.17:8080", "HTTP <n> from <n>"),
        ("at 2026-01-31T08:15:30Z", "at <id>Z"),
        (
            "no host 5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a!",
            "no host <id>!",
        ),
        (
            "payload 0F3C8F1E6A5D4A7B9C2D1E0F8A7B6C5D gone",
            "payload <id> gone",
        ),
        (
            "commit 3fa9c21 on node-7f3a of node7",
            "commit <id> on node-<id> of node<n>",
        ),
        (
            "cannot open /var/tmp/x-1/insights.tar.gz: no space",
            "cannot open <path>: no space",
        ),
        (
            "GET https://s3.local/b?id=5&x=y failed.",
            "GET <path>=<n>&x=y failed.",
        ),
        (r"C:\temp\a1.txt is locked", "<path> is locked"),
        (
            "key 'insights_id' of \"host 7\" and `x`",
            "key <value> of <value> and <value>",
        ),
        (
            "can't read the client's file",
            "can't read the client's file",
        ),
        ("can't read 'it's here', sorry", "can't read <value>, sorry"),
        ("an unclosed 'quote, and 7", "an unclosed 'quote, and <n>"),
        ("Error: KeyError: 5", "Error: KeyError: <n>"),
        ("Überlauf in Zeile ٣", "Überlauf in Zeile <n>"),
    ] {
        assert_eq!(text(message), expected, "{message}");
    }
}

#[test]
fn what_differs_otherwise_is_another_failure() {
    assert_eq!(
        Fingerprint::of("row 1 bad"),
        Fingerprint::of("row 22  bad\n")
    );
    assert_ne!(Fingerprint::of("row 1 bad"), Fingerprint::of("row 1 good"));
    let long = |end: &str| format!("{} {end}", "x ".repeat(1_000));
    assert_eq!(text(&long("a")), text(&long("b")));
    assert_ne!(
        Fingerprint::of(&long("a")).hash,
        Fingerprint::of(&long("b")).hash
    );
}

/// Stored hashes are compared with those of tomorrow's program.
#[test]
fn hashes_stay_what_they_are() {
    assert_eq!(
        Fingerprint::hex(Fingerprint::of("").hash),
        "e3b0c44298fc1c14"
    );
}

#[test]
fn a_megabyte_of_quotes_takes_no_time() {
    let begun = std::time::Instant::now();
    for hostile in [
        " '".repeat(500_000),
        "'a".repeat(500_000),
        "1.".repeat(500_000),
        "é\"".repeat(300_000),
    ] {
        Fingerprint::of(&hostile);
    }
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn any_message_has_a_bounded_one_without_digits(message in "(\\PC|[ -~]|\n)*") {
        let text = text(&message);
        prop_assert!(text.chars().count() <= MOST_SHOWN);
        prop_assert!(!text.chars().any(|c| c.is_ascii_digit()), "{}", text);
    }

    #[test]
    fn numbers_and_ids_make_no_difference(a in 0..u64::MAX, b in 0..u64::MAX, id in any::<[u128; 2]>()) {
        let message = |number: u64, id: u128| format!("row {number} of {id:032x}: '{number}' in /tmp/{number}");
        prop_assert_eq!(Fingerprint::of(&message(a, id[0])), Fingerprint::of(&message(b, id[1])));
    }
}
