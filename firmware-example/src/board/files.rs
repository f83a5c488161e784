//! Files and arguments of whoever runs the board, by semihosting.
//!
//! The calls are made here, because what goes around them in the crate `semihosting` can panic:
//! <https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst>.

use core::str::from_utf8;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use semihosting::sys::arm_compat::syscall::{OperationNumber, ParamRegW, syscall};

/// Longest command line, the program's own path included, bytes.
const LINE: usize = 1024;
/// Longest name of a file, bytes, and the zero behind it.
const NAME: usize = 512;
/// Modes of opening, as `fopen` has them: `rb` and `w`.
const READ: usize = 1;
const WRITE: usize = 4;
/// What a failed call gives, and no handle is.
const FAILED: usize = usize::MAX;

/// The console, once it is open.
static CONSOLE: AtomicUsize = AtomicUsize::new(FAILED);

/// A file to read from its beginning.
#[derive(Debug)]
pub struct Source(usize);

impl Source {
    /// The file `name`; nothing if it cannot be opened.
    pub fn open(name: &str) -> Option<Self> {
        let handle = open(name, READ)?;
        Some(Self(handle))
    }

    /// Fills `bytes`; whether there were enough.
    pub fn fill(&mut self, bytes: &mut [u8]) -> bool {
        let place = bytes.as_mut_ptr().expose_provenance();
        // SAFETY: that many bytes may be written there.
        let missing = unsafe { call(OperationNumber::SYS_READ, &mut [self.0, place, bytes.len()]) };
        missing == 0
    }
}

/// Writes text as it is to whoever runs the board; what cannot be written is lost.
pub fn write(text: &[u8]) {
    if CONSOLE.load(Relaxed) == FAILED {
        CONSOLE.store(open(":tt", WRITE).unwrap_or(FAILED), Relaxed);
    }
    let place = text.as_ptr().expose_provenance();
    let mut block = [CONSOLE.load(Relaxed), place, text.len()];
    // SAFETY: that many bytes may be read there.
    unsafe { call(OperationNumber::SYS_WRITE, &mut block) };
}

/// Calls `work` with the program's arguments, which spaces part, `N` at most; empty ones stand for
/// those not given.
pub fn with_arguments<const N: usize, R>(work: impl FnOnce([&str; N]) -> R) -> R {
    let mut bytes = [0; LINE];
    let mut block = [bytes.as_mut_ptr().expose_provenance(), LINE, 0];
    // SAFETY: that many bytes may be written there.
    let failed = unsafe { call(OperationNumber::SYS_GET_CMDLINE, &mut block) };
    let length = if failed == 0 { block[1] } else { 0 };
    let line = bytes.get(..length).and_then(|line| from_utf8(line).ok());
    let given = line.unwrap_or("").split_ascii_whitespace().skip(1);
    let mut words = [""; N];
    words
        .iter_mut()
        .zip(given)
        .for_each(|(to, word)| *to = word);
    work(words)
}

/// Opens the file `name`; its handle.
fn open(name: &str, mode: usize) -> Option<usize> {
    let mut bytes = [0; NAME];
    let (last, room) = bytes.split_last_mut()?;
    *last = 0;
    let places = room.get_mut(..name.len())?;
    places
        .iter_mut()
        .zip(name.bytes())
        .for_each(|(to, byte)| *to = byte);
    let mut block = [bytes.as_ptr().expose_provenance(), mode, name.len()];
    // SAFETY: a name with a zero behind it, and its length.
    let handle = unsafe { call(OperationNumber::SYS_OPEN, &mut block) };
    (handle != FAILED).then_some(handle)
}

/// Calls whoever runs the board.
///
/// # Safety
/// `block` must be what `operation` takes.
unsafe fn call(operation: OperationNumber, block: &mut [usize; 3]) -> usize {
    // SAFETY: the caller keeps to the condition; operations change nothing else.
    unsafe { syscall(operation, ParamRegW::ref_(block)) }.usize()
}
