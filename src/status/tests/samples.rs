//! What becomes of every message of `seed/producer_messages.jsonl`.

use std::fmt::Write as _;

use super::super::{Field, Message, Rules};
use super::now;

#[test]
fn by_default() {
    insta::assert_snapshot!(outcomes(&Rules::default()));
}

#[test]
fn with_lenient_rules() {
    let required = Rules::default().required;
    let rules = Rules {
        required: required
            .into_iter()
            .filter(|field| *field != Field::OrgId)
            .collect(),
        request_id_length: 0,
        retention_days: 30,
    };
    insta::assert_snapshot!(outcomes(&rules));
}

fn outcomes(rules: &Rules) -> String {
    let mut outcomes = String::new();
    let lines = include_bytes!("../../../seed/producer_messages.jsonl")
        .strip_suffix(b"\n")
        .unwrap();
    for (number, line) in (1..).zip(lines.split(|byte| *byte == b'\n')) {
        let outcome = Message::decode(line, rules, now());
        writeln!(outcomes, "{number} {outcome:?}").unwrap();
    }
    outcomes
}
