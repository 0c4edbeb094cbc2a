//! Whatever the bytes, `Message::decode` gives a message or a reject that keeps every promise: `make fuzz`.
//!
//! The domain is compiled in from its source: it is pure, so that this takes seconds and libFuzzer sees the
//! branches of nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unused_imports)]
#[path = "../../src/status/mod.rs"]
mod status;

#[path = "../../src/status/tests/invariants.rs"]
mod invariants;

/// The day of the messages in the corpus.
const NOW: &str = "2026-08-21T12:00:00Z";

fuzz_target!(|value: &[u8]| {
    let now = NOW.parse().expect("a date");
    invariants::check(value, now);
});
