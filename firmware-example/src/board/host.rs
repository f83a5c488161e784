//! This machine, where results are compared with those of the boards; the clock counts nanoseconds.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Starts the clock.
pub fn start() {
    START.get_or_init(Instant::now);
}

/// Nanoseconds since the start.
pub fn ticks() -> u64 {
    let start = START.get_or_init(Instant::now);
    start.elapsed().as_nanos() as u64
}

/// Ends the program.
pub fn finish(good: bool) -> ! {
    std::process::exit(i32::from(!good))
}

/// A file to read from its beginning.
#[derive(Debug)]
pub struct Source(File);

impl Source {
    /// The file `name`; nothing if it cannot be opened.
    pub fn open(name: &str) -> Option<Self> {
        File::open(name).ok().map(Self)
    }

    /// Fills `bytes`; whether there were enough.
    pub fn fill(&mut self, bytes: &mut [u8]) -> bool {
        self.0.read_exact(bytes).is_ok()
    }
}

/// Calls `work` with the program's arguments, `N` at most; empty ones stand for those not given.
pub fn with_arguments<const N: usize, R>(work: impl FnOnce([&str; N]) -> R) -> R {
    let given: Vec<String> = std::env::args().skip(1).take(N).collect();
    let mut words = [""; N];
    words
        .iter_mut()
        .zip(&given)
        .for_each(|(to, word)| *to = word);
    work(words)
}

/// Writes text as it is to standard output; what cannot be written is lost.
pub fn write(text: &[u8]) {
    let _ = std::io::stdout().write_all(text);
}
