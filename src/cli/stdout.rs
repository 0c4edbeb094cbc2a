//! Standard output, whose reader may be gone, as after `| head`: `println!` panics then.

use std::io::{self, Write};

/// Prints a line, or several, at once: what is followed appears as it comes in a pipe too.
///
/// # Errors
/// Nobody reads any more. Where printing is not the work itself, that is no reason to end.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
