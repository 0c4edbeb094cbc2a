//! What failures have in common: their message without what differs each time.

use openssl::sha::sha256;

/// Bytes of a message that are looked at.
pub const MOST_READ: usize = 16_384;

/// Characters of a fingerprint's text that are shown.
pub const MOST_SHOWN: usize = 300;

const NUMBER: &str = "<n>";
const ID: &str = "<id>";
const PATH: &str = "<path>";
const VALUE: &str = "<value>";

/// From this length on, hex digits are an id.
const HEX_ID: usize = 8;

/// From this length on, letters and digits mixed are an id.
const LONG_ID: usize = 16;

/// Letters behind a number that are its unit, as in `30s` or `10MiB`.
const LONGEST_UNIT: usize = 3;

/// A message with ids, numbers, paths and quoted values replaced by `<id>`, `<n>`, `<path>` and
/// `<value>`, and blanks run together. Two messages that differ in nothing else are the same failure.
///
/// Paths are words with a slash or backslash in them, URLs among them. Ids are UUIDs, 8 or more hex
/// digits, letters and digits mixed. A word that ends in a number keeps its letters (`node7` is
/// `node<n>`), and so does a number with a unit (`30s` is `<n>s`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of the whole text.
    pub hash: i64,
    /// The first [`MOST_SHOWN`] characters of it.
    pub text: String,
}

impl Fingerprint {
    /// Of the first [`MOST_READ`] bytes, in time that grows with them only. An empty message has one
    /// too.
    pub fn of(message: &str) -> Self {
        let mut end = message.len().min(MOST_READ);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let whole = replaced(&message[..end]);
        let digest = sha256(whole.as_bytes());
        let mut hash = [0; 8];
        hash.copy_from_slice(&digest[..8]);
        Self {
            hash: i64::from_be_bytes(hash),
            text: whole.chars().take(MOST_SHOWN).collect(),
        }
    }

    /// The hash as the API writes it: 16 hex digits.
    pub fn hex(hash: i64) -> String {
        format!("{hash:016x}")
    }
}

fn replaced(message: &str) -> String {
    let mut scanner = Scanner {
        rest: message,
        before: ' ',
        out: String::with_capacity(message.len()),
        unclosed: Vec::new(),
    };
    while let Some(next) = scanner.rest.chars().next() {
        scanner.take(next);
    }
    scanner.out.truncate(scanner.out.trim_end().len());
    scanner.out
}

struct Scanner<'m> {
    rest: &'m str,
    /// The character before `rest`.
    before: char,
    out: String,
    /// Quotes that do not close any more: not looked for again, or time would grow with the square.
    unclosed: Vec<char>,
}

impl<'m> Scanner<'m> {
    fn take(&mut self, next: char) {
        if next.is_whitespace() {
            self.skip(next.len_utf8());
            if !self.out.is_empty() && !self.out.ends_with(' ') {
                self.out.push(' ');
            }
        } else if let Some(length) = self.quoted(next) {
            self.skip(length);
            self.out.push_str(VALUE);
        } else if is_word(next) {
            let length = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            let word = self.skip(length);
            self.word(word);
        } else {
            self.skip(next.len_utf8());
            self.out.push(next);
        }
    }

    fn skip(&mut self, length: usize) -> &'m str {
        let (taken, rest) = self.rest.split_at(length);
        self.before = taken.chars().next_back().unwrap_or(self.before);
        self.rest = rest;
        taken
    }

    /// The length of what a quote encloses, itself included. An apostrophe within a word is none,
    /// neither as the first nor as the last.
    fn quoted(&mut self, quote: char) -> Option<usize> {
        if !matches!(quote, '"' | '\'' | '`')
            || self.before.is_alphanumeric()
            || self.unclosed.contains(&quote)
        {
            return None;
        }
        let closes = |(at, _): &(usize, &str)| {
            let after = self.rest[at + 1..].chars().next();
            !after.is_some_and(char::is_alphanumeric)
        };
        let end = self.rest.match_indices(quote).skip(1).find(closes);
        if end.is_none() {
            self.unclosed.push(quote);
        }
        end.map(|(at, _)| at + 1)
    }

    fn word(&mut self, word: &str) {
        let core = word.trim_end_matches(['.', ':', '?', '-']);
        if core.len() > 1 && core.contains(['/', '\\']) {
            self.out.push_str(PATH);
        } else {
            for piece in core.split_inclusive(['.', ':', '@', '%', '+', '~', '#', '?']) {
                let part = piece.trim_end_matches(['.', ':', '@', '%', '+', '~', '#', '?']);
                self.part(part);
                self.out.push_str(&piece[part.len()..]);
            }
        }
        self.out.push_str(&word[core.len()..]);
    }

    /// Letters, digits, `-` and `_`.
    fn part(&mut self, part: &str) {
        if is_id(part) {
            return self.placeholder(ID);
        }
        for piece in part.split_inclusive(['-', '_']) {
            let atom = piece.trim_end_matches(['-', '_']);
            self.atom(atom);
            self.out.push_str(&piece[atom.len()..]);
        }
    }

    /// Letters and digits.
    fn atom(&mut self, atom: &str) {
        let is_digit = |c: char| c.is_numeric();
        let Some(first) = atom.find(is_digit) else {
            return self.out.push_str(atom);
        };
        let number = atom[first..].find(|c| !is_digit(c));
        let (letters, unit) = (&atom[..first], number.map(|at| &atom[first + at..]));
        match (letters, unit) {
            _ if is_id(atom) => self.placeholder(ID),
            (letters, None) => {
                self.out.push_str(letters);
                self.placeholder(NUMBER);
            }
            ("", Some(unit)) if unit.len() <= LONGEST_UNIT && !unit.contains(is_digit) => {
                self.placeholder(NUMBER);
                self.out.push_str(unit);
            }
            _ => self.placeholder(ID),
        }
    }

    /// What is joined by a single mark, as in `10.0.0.1` or a date, is one.
    fn placeholder(&mut self, mut new: &'static str) {
        let joined = self.out.strip_suffix(['.', ':', ',', '-', '_', '+']);
        for known in [NUMBER, ID] {
            let kept = joined.and_then(|joined| joined.strip_suffix(known));
            if let Some(kept) = kept.map(str::len) {
                if known == ID {
                    new = ID;
                }
                self.out.truncate(kept);
                break;
            }
        }
        self.out.push_str(new);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_-./\\:@%+~#?".contains(c)
}

/// A UUID, or enough hex digits, or letters and digits, for nothing else.
fn is_id(text: &str) -> bool {
    let digits = text.chars().any(char::is_numeric);
    let letters = text.chars().any(char::is_alphabetic);
    let hex = text.chars().all(|c| c.is_ascii_hexdigit());
    let dashed = text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let long = text.len() >= LONG_ID && letters && text.chars().all(char::is_alphanumeric);
    dashed || digits && (hex && letters && text.len() >= HEX_ID || long) || hex && text.len() == 32
}

#[cfg(test)]
mod tests;
