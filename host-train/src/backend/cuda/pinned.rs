//! Host memory that the device copies from and to while the host goes on.

use cust::sys;

use super::device::check;

/// Least bytes of a piece; sizes are powers of two.
const LEAST: usize = 1 << 12;
/// Bytes on their way to the device, from which on a stream is waited for.
pub(super) const MOST: usize = 1 << 26;

/// A piece of page-locked host memory.
pub(super) struct Piece {
    memory: *mut u8,
    bytes: usize,
}

// SAFETY: the memory belongs to the piece alone.
unsafe impl Send for Piece {}

impl Piece {
    pub(super) fn pointer(&self) -> *mut u8 {
        self.memory
    }

    /// Copies `bytes` to its beginning.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.bytes);
        // SAFETY: the piece is as long, and only this thread and no copy uses it.
        unsafe {
            self.memory
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
    }

    /// The first `len` values. Every copy to it must be over.
    pub(super) fn read(&self, start: usize, len: usize) -> Vec<f32> {
        assert!((start + len) * size_of::<f32>() <= self.bytes);
        // SAFETY: the piece is as long and aligned to pages, and copies have filled it.
        unsafe { std::slice::from_raw_parts(self.memory.cast::<f32>().add(start), len) }.to_vec()
    }
}

/// Pieces of one stream.
#[derive(Default)]
pub(super) struct Pinned {
    free: Vec<Piece>,
    /// Pieces that copies to the device may still read, with the number of the copy.
    used: Vec<(u64, Piece)>,
    copies: u64,
    bytes: usize,
}

impl Pinned {
    /// A piece of at least `bytes`.
    pub(super) fn take(&mut self, bytes: usize) -> Piece {
        let bytes = bytes.next_power_of_two().max(LEAST);
        let found = self.free.iter().position(|piece| piece.bytes == bytes);
        if let Some(at) = found {
            return self.free.swap_remove(at);
        }
        let mut memory = std::ptr::null_mut();
        // SAFETY: the driver writes the pointer.
        let made = unsafe { sys::cuMemAllocHost_v2(&raw mut memory, bytes) };
        check(made, &format!("allocate {bytes} bytes of host memory"));
        Piece {
            memory: memory.cast(),
            bytes,
        }
    }

    /// Notes that a copy to the device was begun that reads `piece`.
    pub(super) fn sent(&mut self, piece: Piece) {
        self.copies += 1;
        self.bytes += piece.bytes;
        self.used.push((self.copies, piece));
    }

    /// Hands a piece back that no copy uses.
    pub(super) fn give(&mut self, piece: Piece) {
        self.free.push(piece);
    }

    /// Number of the last copy.
    pub(super) fn last(&self) -> u64 {
        self.copies
    }

    /// Bytes that copies may still read.
    pub(super) fn in_flight(&self) -> usize {
        self.bytes
    }

    /// Copies up to number `copy` are over.
    pub(super) fn done(&mut self, copy: u64) {
        let over = self.used.partition_point(|(number, _)| *number <= copy);
        for (_, piece) in self.used.drain(..over) {
            self.bytes -= piece.bytes;
            self.free.push(piece);
        }
    }

    /// Frees everything. The context must be current and the stream at rest.
    pub(super) fn free(&mut self) {
        self.done(u64::MAX);
        for piece in self.free.drain(..) {
            // SAFETY: no copy uses it any more; errors have nowhere to go.
            unsafe { sys::cuMemFreeHost(piece.memory.cast()) };
        }
    }
}
