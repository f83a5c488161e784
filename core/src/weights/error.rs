//! Why a model file is refused.

use core::fmt;

/// Why a model file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// It does not begin as a model file does.
    Magic,
    /// Its format version is none that this code reads.
    Version {
        /// Version of the file.
        got: u16,
    },
    /// It is shorter or longer than it says.
    Length {
        /// Bytes that it says, or that a header needs at least.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Its checksum is another.
    Checksum {
        /// Recorded CRC-32.
        expected: u32,
        /// CRC-32 of the content.
        got: u32,
    },
    /// Its header is none.
    Header,
    /// A number of the header is outside its range.
    Field {
        /// Which one.
        field: &'static str,
        /// Its range.
        expected: &'static str,
    },
    /// A part of the body is missing, or another follows the last one.
    Body {
        /// Where.
        part: &'static str,
    },
    /// Sums of a layer could leave 32 bits, or a factor is outside its range.
    Range {
        /// In which part.
        part: &'static str,
    },
    /// The model needs other sizes than this memory has.
    Sizes {
        /// Which size.
        what: &'static str,
        /// Size of the memory.
        expected: usize,
        /// Size of the model.
        got: usize,
    },
    /// The model lacks a part that the readout needs.
    Missing {
        /// Which part.
        part: &'static str,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic => f.write_str("no model file: expected it to begin with 'DREF'"),
            Self::Version { got } => {
                write!(f, "format version {got}: expected {}", super::VERSION)
            }
            Self::Length { expected, got } => {
                write!(f, "length: expected {expected} bytes, got {got}")
            }
            Self::Checksum { expected, got } => {
                write!(f, "damaged: crc32 is {got:08x}, expected {expected:08x}")
            }
            Self::Header => f.write_str("header: expected one of this format version"),
            Self::Field { field, expected } => write!(f, "header, {field}: expected {expected}"),
            Self::Body { part } => {
                write!(f, "body, {part}: expected as many bytes as its sizes say")
            }
            Self::Range { part } => {
                write!(
                    f,
                    "body, {part}: expected sums within 32 bits and factors in range"
                )
            }
            Self::Sizes {
                what,
                expected,
                got,
            } => write!(f, "{what}: expected {expected}, the model has {got}"),
            Self::Missing { part } => write!(f, "the model has no {part}"),
        }
    }
}

impl core::error::Error for LoadError {}
