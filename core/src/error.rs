//! The one error type of this crate: flat, `Copy`, without allocation.

use core::fmt;

/// Result with [`Error`].
pub type Result<T> = core::result::Result<T, Error>;

/// Why an operation refused its input; nothing here panics instead.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A slice must have exactly one length and has another.
    Length {
        /// Which slice.
        what: &'static str,
        /// Length that fits.
        expected: usize,
        /// Length that came.
        got: usize,
    },
    /// The caller's memory is too small.
    Capacity {
        /// Which slice.
        what: &'static str,
        /// Elements that would have been enough.
        needed: usize,
        /// Elements that there are.
        got: usize,
    },
    /// A parameter is outside its range.
    Domain {
        /// Which parameter.
        what: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// Value that came, rounded to `f64` where it is an integer.
        got: f64,
    },
    /// A value in a list is NaN or infinite.
    NotFinite {
        /// Which list and field.
        what: &'static str,
        /// Position in the list.
        index: usize,
    },
    /// An evaluation was finished before any frame was given to it.
    NoFrames,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length {
                what,
                expected,
                got,
            } => write!(f, "{what}: expected {expected} elements, got {got}"),
            Self::Capacity { what, needed, got } => {
                write!(f, "{what}: need room for {needed} elements, got {got}")
            }
            Self::Domain {
                what,
                expected,
                got,
            } => write!(f, "{what}: expected {expected}, got {got}"),
            Self::NotFinite { what, index } => {
                write!(f, "{what}, element {index}: expected a finite number")
            }
            Self::NoFrames => f.write_str("evaluation: expected at least one frame, got none"),
        }
    }
}

impl core::error::Error for Error {}

/// Refuses a slice of the wrong length.
pub(crate) fn check_len(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Length {
        what,
        expected,
        got,
    })
}

/// Refuses memory that holds fewer than `needed` elements.
pub(crate) fn check_room(what: &'static str, needed: usize, got: usize) -> Result<()> {
    if needed <= got {
        return Ok(());
    }
    Err(Error::Capacity { what, needed, got })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn errors_say_what_was_expected_and_what_came() {
        let what = "frame";
        let domain = Error::Domain {
            what,
            expected: "0 or more",
            got: -1.5,
        };
        let length = check_len(what, 121, 120).unwrap_err();
        let room = check_room(what, 9, 8).unwrap_err();
        let texts = [
            (length, "frame: expected 121 elements, got 120"),
            (room, "frame: need room for 9 elements, got 8"),
            (domain, "frame: expected 0 or more, got -1.5"),
            (
                Error::NotFinite { what, index: 3 },
                "frame, element 3: expected a finite number",
            ),
            (
                Error::NoFrames,
                "evaluation: expected at least one frame, got none",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(
            (check_len(what, 1, 1), check_room(what, 8, 9)),
            (Ok(()), Ok(()))
        );
    }
}
