//! Files and arguments of whoever runs the board, by semihosting.

use core::ffi::CStr;

use semihosting::experimental::env::args;
use semihosting::fs::File;
use semihosting::io::{Read, Write, stdout};

/// Longest command line, the program's own path included, bytes.
const LINE: usize = 1024;
/// Longest name of a file, bytes.
const NAME: usize = 512;

/// A file to read from its beginning.
#[derive(Debug)]
pub struct Source(File);

impl Source {
    /// The file `name`; nothing if it cannot be opened.
    pub fn open(name: &str) -> Option<Self> {
        let mut bytes = [0; NAME];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        let name = CStr::from_bytes_until_nul(&bytes).ok()?;
        File::open(name).ok().map(Self)
    }

    /// Fills `bytes`; whether there were enough.
    pub fn fill(&mut self, bytes: &mut [u8]) -> bool {
        self.0.read_exact(bytes).is_ok()
    }
}

/// Calls `work` with the program's arguments, `N` at most; empty ones stand for those not given.
pub fn with_arguments<const N: usize, R>(work: impl FnOnce([&str; N]) -> R) -> R {
    let mut words = [""; N];
    let Ok(line) = args::<LINE>() else {
        return work(words);
    };
    let given = (&line).into_iter().skip(1).filter_map(Result::ok);
    words
        .iter_mut()
        .zip(given)
        .for_each(|(to, word)| *to = word);
    work(words)
}

/// Writes text as it is to whoever runs the board; what cannot be written is lost.
pub fn write(text: &[u8]) {
    if let Ok(mut to) = stdout() {
        let _ = to.write_all(text);
    }
}
