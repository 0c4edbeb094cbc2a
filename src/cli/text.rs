//! Text from the network, made fit for a terminal.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// Text on one line without characters that a terminal obeys: whoever writes a status message
/// must not be able to move the cursor, set colours or reorder the reader's screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(String);

impl Text {
    /// White space of any length becomes one blank, an unprintable character U+FFFD.
    pub fn new(foreign: &str) -> Self {
        let mut clean = String::with_capacity(foreign.len());
        for word in foreign.split_whitespace() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.extend(word.chars().map(printable));
        }
        Self(clean)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn printable(c: char) -> char {
    if c.is_control() || steers_direction(c) {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// Unicode's bidirectional controls and line separators.
fn steers_direction(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceback_becomes_one_line() {
        let text = Text::new("Traceback:\r\n  File \"a.py\",\tline 1\n");
        assert_eq!(text.as_str(), "Traceback: File \"a.py\", line 1");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let text = Text::new("\u{1b}[2Jgone \u{9b}31m \u{7}\u{0}\u{202e}rtl\u{7f}");
        assert!(text.as_str().chars().all(|c| !c.is_control()));
        assert!(!text.as_str().contains('\u{202e}'));
        assert!(text.as_str().contains("[2Jgone"), "the rest stays readable");
    }

    #[test]
    fn what_json_brings_is_clean() {
        let text: Text = serde_json::from_str(r#""a\u001b[31mb""#).unwrap();
        assert_eq!(text.as_str(), "a\u{fffd}[31mb");
    }
}
