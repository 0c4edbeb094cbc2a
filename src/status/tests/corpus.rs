//! The fuzzer's corpus, without the fuzzer.

use std::fs;
use std::path::Path;

use super::{invariants, now};

#[test]
fn every_file_is_a_message_or_a_reject() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/decode");
    let mut files = 0;
    for file in fs::read_dir(corpus).unwrap() {
        invariants::check(&fs::read(file.unwrap().path()).unwrap(), now());
        files += 1;
    }
    assert!(files > 20, "{files} files");
}
