//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong; each message names the file, the field and the expected value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read, but its content is wrong.
    #[error("{}: {message}", path.display())]
    Format {
        /// File concerned.
        path: PathBuf,
        /// Field, found and expected value.
        message: String,
    },
    /// An argument or configuration value is out of range.
    #[error("{0}")]
    Usage(String),
    /// A check or an evaluation did not reach its bound: exit code 1, where all others give 2.
    #[error("{0}")]
    CheckFailed(String),
    /// The user interrupted the work; everything finished so far is kept.
    #[error("interrupted")]
    Interrupted,
    /// What one of the ranks that train together met, for which all of them stopped.
    #[error("{message}")]
    Together {
        /// What it said; names the rank where that is not the lead.
        message: String,
        /// Exit code of all ranks.
        code: u8,
        /// Whether the user was told, or another rank tells.
        told: bool,
    },
}

impl Error {
    /// Wraps a system error with the path it concerns.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// Reports wrong content of `path`.
    pub fn format(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Format {
            path: path.as_ref().to_owned(),
            message: message.into(),
        }
    }

    /// Reports a wrong argument.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Process exit code: 1 for a failed check, 2 for bad usage or input, 130 when interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::CheckFailed(_) => 1,
            Self::Interrupted => 130,
            Self::Together { code, .. } => *code,
            _ => 2,
        }
    }
}
