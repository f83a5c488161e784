//! Memory that a program hands out once.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering::AcqRel};

/// A value in static memory, for one owner.
#[derive(Debug)]
pub struct Room<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `take` hands out one reference at most, so no two threads ever see the value.
unsafe impl<T: Send> Sync for Room<T> {}

impl<T> Room<T> {
    /// Room with a value in it; all zeros take no flash.
    pub const fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// The value for the first who asks, nothing for all others.
    #[allow(clippy::mut_from_ref, reason = "the flag lets one reference out")]
    pub fn take(&self) -> Option<&mut T> {
        if self.taken.swap(true, AcqRel) {
            return None;
        }
        // SAFETY: the flag was clear until now and stays set: this is the only reference.
        Some(unsafe { &mut *self.value.get() })
    }
}
