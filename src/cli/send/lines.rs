//! The messages of a file or a pipe: one a line, in bounded memory.

use std::io::{self, BufRead, Read};

/// A line that is to be sent, or why it cannot be.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// As it stands there, without its line feed.
    Message(&'a [u8]),
    /// The number, from 1, of a line longer than a message may be.
    TooLong(u64),
}

pub struct Lines<R> {
    reader: R,
    longest: usize,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// `longest`: bytes a message may have.
    pub fn new(reader: R, longest: usize) -> Self {
        Self {
            reader,
            longest,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line that is not blank; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let limit = self.longest as u64 + 1;
            let mut start = Read::take(&mut self.reader, limit);
            if start.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            let complete = self.buffer.pop_if(|byte| *byte == b'\n').is_some();
            if !complete && self.buffer.len() > self.longest {
                self.reader.skip_until(b'\n')?;
                return Ok(Some(Line::TooLong(self.number)));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(Some(Line::Message(&self.buffer)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read from `input` with at most 5 bytes a message.
    fn read(input: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(input, 5);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push(match line {
                Line::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong(number) => format!("line {number} is too long"),
            });
        }
        seen
    }

    #[test]
    fn bytes_are_kept_and_blank_lines_are_not() {
        assert_eq!(read(b" a\r\n\n \t\nb"), [" a\r", "b"]);
        assert_eq!(read(b"\xff\n"), ["\u{fffd}"]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_line_too_long_is_skipped_alone() {
        assert_eq!(
            read(b"12345\n123456\n1234567890123\nab\n123456"),
            [
                "12345",
                "line 2 is too long",
                "line 3 is too long",
                "ab",
                "line 5 is too long"
            ]
        );
    }
}
