//! The calls that `cust` and the host backend make, by the names and signatures of `cuda.h`.
//!
//! Handles are opaque numbers of pointer size. What a driver may do at once or later is done as
//! late as it may ([`crate::queue`]).

// Signatures and safety are those of the CUDA driver API, which documents them.
#![allow(missing_docs, clippy::missing_safety_doc, clippy::too_many_arguments)]

pub mod context;
pub mod device;
pub mod kernel;
pub mod memory;
pub mod stream;
pub mod unsupported;

use crate::error::{Code, Fault, Result};

/// Writes an answer where the caller wants it.
///
/// # Errors
///
/// The pointer is null.
///
/// # Safety
///
/// `to` is null or writable.
unsafe fn answer<T>(to: *mut T, value: T) -> Result<()> {
    if to.is_null() {
        return Err(Fault::new(
            Code::INVALID_VALUE,
            "null, expected where to write",
        ));
    }
    // SAFETY: by the caller.
    unsafe { to.write(value) };
    Ok(())
}
