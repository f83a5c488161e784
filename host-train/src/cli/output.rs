//! Answers on standard output, complaints on standard error.
//!
//! `println!` panics when the reader of a pipe has left (`derefnet eval | head -1`); everything
//! here ends quietly instead, so that a command still finishes and gives its honest exit code.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::Common;
use crate::{Error, Result};

/// Prints `answer` as one line of JSON if asked for, else `text`.
///
/// # Errors
///
/// [`Error::Io`] if standard output cannot be written (a full disk, say); a closed pipe is no
/// error.
pub fn emit(common: &Common, answer: &impl Serialize, text: &impl Display) -> Result<()> {
    if common.json {
        let line = serde_json::to_string(answer)
            .map_err(|source| Error::io("standard output", source.into()))?;
        print(&line)
    } else {
        print(text)
    }
}

/// Prints `text`, ended by exactly one line feed.
///
/// # Errors
///
/// As [`emit`].
pub fn print(text: &impl Display) -> Result<()> {
    print_to(&mut io::stdout().lock(), text)
}

fn print_to(out: &mut impl Write, text: &impl Display) -> Result<()> {
    let text = text.to_string();
    let written = writeln!(out, "{}", text.strip_suffix('\n').unwrap_or(&text));
    match written.and_then(|()| out.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", source))
        }
        _ => Ok(()),
    }
}

/// Prints `error: …` on standard error, where possible; not what was said before.
pub fn complain(error: &Error) {
    if matches!(error, Error::Together { told: true, .. }) {
        return;
    }
    let _ = writeln!(io::stderr(), "error: {error}");
}

/// Prints `note: …` on standard error, where possible.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "note: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_line_feed_at_the_end() {
        for text in ["a\nb", "a\nb\n"] {
            let mut out = Vec::new();
            print_to(&mut out, &text).unwrap();
            assert_eq!(out, b"a\nb\n");
        }
    }

    #[test]
    fn closed_pipe_is_quiet_but_full_disk_is_not() {
        assert!(print_to(&mut Refusing(ErrorKind::BrokenPipe), &"x").is_ok());
        let full = print_to(&mut Refusing(ErrorKind::StorageFull), &"x");
        assert!(full.unwrap_err().to_string().starts_with("standard output"));
    }
}
