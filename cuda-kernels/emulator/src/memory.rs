//! Device memory: ranges with guard pages around them, that the host cannot touch.
//!
//! One reservation of address space holds every allocation. An allocation ends where its guard
//! pages begin, up to 15 bytes that keep it aligned. Its pages can be read and written only while
//! queued work runs ([`Memory::open`]); at any other time a host that dereferences a device
//! address faults. Addresses are never used twice, so a freed buffer stays recognisable.

use std::collections::BTreeMap;

use crate::error::{Code, Fault, Result};
use crate::race::Cell;

/// Address space for device memory, in bytes.
const ARENA: u64 = 256 << 30;
/// Memory that the device claims to have, in bytes.
pub const DEVICE: u64 = 8 << 30;
/// On both sides of an allocation, in bytes; also its pages' alignment.
const GUARD: u64 = 256 << 10;
const PAGE: u64 = 4096;
/// Allocations begin at a multiple of this, in bytes: the widest vector access.
const ALIGN: u64 = 16;
/// Fresh memory: every f32 is a NaN, every index far outside.
pub const POISON: u8 = 0xff;

/// A live range of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Address of the first byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

impl Range {
    /// Whether `len` bytes from `address` lie inside.
    #[inline]
    pub fn holds(self, address: u64, len: u64) -> bool {
        let offset = address.wrapping_sub(self.start);
        offset < self.size && len <= self.size - offset
    }

    fn pages(self) -> (u64, u64) {
        let first = self.start / PAGE * PAGE;
        let end = (self.start + self.size).next_multiple_of(PAGE);
        (first, end - first)
    }
}

/// All device memory.
pub struct Memory {
    base: u64,
    next: u64,
    used: u64,
    live: BTreeMap<u64, Range>,
    freed: BTreeMap<u64, Range>,
    /// One byte a word of the arena: whether it was ever written.
    written: *mut u8,
    /// One cell a word of the arena: who touched it last.
    cells: *mut Cell,
    open: bool,
}

// SAFETY: the pointers are to mappings that only the holder of the driver's lock touches.
unsafe impl Send for Memory {}

impl Memory {
    /// Reserves address space; pages come with allocations.
    pub fn new() -> Result<Self> {
        let base = reserve(ARENA, libc::PROT_NONE)?;
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let words = ARENA / 4;
        Ok(Self {
            base,
            next: base + GUARD,
            used: 0,
            live: BTreeMap::new(),
            freed: BTreeMap::new(),
            written: reserve(words, writable)? as *mut u8,
            cells: reserve(words * size_of::<Cell>() as u64, writable)? as *mut Cell,
            open: false,
        })
    }

    /// Gives `size` bytes, all [`POISON`] and counted as never written.
    pub fn allocate(&mut self, size: u64) -> Result<Range> {
        if size == 0 {
            return Err(Fault::new(
                Code::INVALID_VALUE,
                "allocation: size 0, expected at least 1",
            ));
        }
        let pages = size.next_multiple_of(PAGE);
        let place = (self.next + pages + GUARD).next_multiple_of(GUARD);
        if self.used + size > DEVICE || place > self.base + ARENA {
            let used = self.used;
            return Err(Fault::new(
                Code::OUT_OF_MEMORY,
                format!("allocation: {size} bytes, {used} of {DEVICE} are in use"),
            ));
        }
        let start = self.next + pages - size.next_multiple_of(ALIGN);
        let range = Range { start, size };
        self.next = place;
        self.used += size;
        self.live.insert(start, range);
        protect(range, true)?;
        // SAFETY: the pages were just made writable.
        unsafe { std::ptr::write_bytes(start as *mut u8, POISON, size as usize) };
        protect(range, self.open)?;
        Ok(range)
    }

    /// Takes back the allocation that begins at `start`.
    pub fn free(&mut self, start: u64) -> Result<()> {
        let Some(range) = self.live.remove(&start) else {
            let what = self.name(start);
            return Err(Fault::new(
                Code::INVALID_VALUE,
                format!("free: {start:#x} is {what}, expected the start of an allocation"),
            ));
        };
        self.used -= range.size;
        self.freed.insert(start, range);
        protect(range, false)?;
        let (first, len) = range.pages();
        let word = (first - self.base) / 4;
        discard(first, len);
        discard(self.written as u64 + word, len / 4);
        let cell = size_of::<Cell>() as u64;
        discard(self.cells as u64 + word * cell, len / 4 * cell);
        Ok(())
    }

    /// Makes live memory accessible, or hides it from the host.
    pub fn open(&mut self, open: bool) -> Result<()> {
        if self.open != open {
            self.open = open;
            for range in self.live.values() {
                protect(*range, open)?;
            }
        }
        Ok(())
    }

    /// The live allocation around `address`.
    pub fn find(&self, address: u64) -> Option<Range> {
        let (_, range) = self.live.range(..=address).next_back()?;
        range.holds(address, 1).then_some(*range)
    }

    /// The live allocation around `len` bytes at `address`, or what is there instead.
    pub fn check(&self, address: u64, len: u64) -> Result<Range> {
        match self.find(address) {
            Some(range) if range.holds(address, len) => Ok(range),
            _ => Err(Fault::new(
                Code::ILLEGAL_ADDRESS,
                format!("{len} bytes at {address:#x}: {}", self.name(address)),
            )),
        }
    }

    /// What an address is, in words.
    pub fn name(&self, address: u64) -> String {
        if let Some(range) = self.find(address) {
            let Range { start, size } = range;
            let offset = address - start;
            return format!("byte {offset} of an allocation of {size} bytes at {start:#x}");
        }
        if let Some((_, range)) = self.freed.range(..=address).next_back()
            && range.holds(address, 1)
        {
            return format!("in a freed buffer of {} bytes", range.size);
        }
        if !self.contains(address) {
            return "no device address (a host pointer, or no pointer)".to_owned();
        }
        let below = self.live.range(..=address).next_back();
        let above = self.live.range(address..).next();
        let past = below.map(|(_, r)| (address - r.start - r.size, r.size, "behind the end"));
        let before = above.map(|(_, r)| (r.start - address, r.size, "before the start"));
        let nearest = past.into_iter().chain(before).min();
        nearest.map_or(
            "outside every allocation".to_owned(),
            |(gap, size, side)| format!("{gap} bytes {side} of an allocation of {size} bytes"),
        )
    }

    /// Whether `address` is in the reservation, allocated or not.
    pub fn contains(&self, address: u64) -> bool {
        address.wrapping_sub(self.base) < ARENA
    }

    /// All addresses that device memory may have.
    pub fn span(&self) -> Range {
        let (start, size) = (self.base, ARENA);
        Range { start, size }
    }

    /// Bytes not in use.
    pub fn unused(&self) -> u64 {
        DEVICE - self.used
    }

    /// Index of the word at `address` among all words of the arena.
    fn word(&self, address: u64) -> usize {
        ((address - self.base) / 4) as usize
    }

    /// Whether the word at `address`, which must be in a live allocation, was ever written.
    #[inline]
    pub fn was_written(&self, address: u64) -> bool {
        // SAFETY: the mapping has a byte for every word of the arena.
        unsafe { *self.written.add(self.word(address)) != 0 }
    }

    /// Counts `len` bytes at `address`, in a live allocation, as written.
    #[inline]
    pub fn mark_written(&mut self, address: u64, len: u64) {
        let word = self.word(address);
        let count = (address % 4 + len).div_ceil(4) as usize;
        // SAFETY: the mapping has a byte for every word of the arena.
        unsafe { std::ptr::write_bytes(self.written.add(word), 1, count) }
    }

    /// Who touched the word at `address`, which must be in a live allocation.
    #[inline]
    pub fn cell(&mut self, address: u64) -> &mut Cell {
        // SAFETY: the mapping has a cell for every word of the arena; zero bytes are a cell.
        unsafe { &mut *self.cells.add(self.word(address)) }
    }

    /// Copies `len` bytes from `from` to `to`, in a live allocation; the memory must be open.
    ///
    /// # Errors
    ///
    /// Either range is not what its space says.
    ///
    /// # Safety
    ///
    /// `from` is readable host memory, or a device address.
    pub unsafe fn copy_in(&mut self, to: u64, from: u64, len: u64) -> Result<()> {
        self.check(to, len)?;
        let within = self.contains(from);
        if within {
            self.check(from, len)?;
        }
        let words = len.div_ceil(4) as usize;
        let whole = to.is_multiple_of(4) && from.is_multiple_of(4);
        if within && whole {
            let (source, target) = (self.word(from), self.word(to));
            // SAFETY: both ranges are in the arena, which has a byte for every word.
            unsafe { std::ptr::copy(self.written.add(source), self.written.add(target), words) };
        } else {
            self.mark_written(to, len);
        }
        // SAFETY: the ranges were checked, or are the caller's word.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, len as usize) };
        Ok(())
    }
}

fn reserve(len: u64, protection: i32) -> Result<u64> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a fresh anonymous mapping touches nothing that exists.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), len as usize, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        let error = std::io::Error::last_os_error();
        return Err(Fault::new(
            Code::OUT_OF_MEMORY,
            format!("reserving {len} bytes of address space: {error}"),
        ));
    }
    Ok(at as u64)
}

fn protect(range: Range, open: bool) -> Result<()> {
    let (first, len) = range.pages();
    let protection = if open {
        libc::PROT_READ | libc::PROT_WRITE
    } else {
        libc::PROT_NONE
    };
    // SAFETY: the pages belong to the arena, where no Rust reference points.
    if unsafe { libc::mprotect(first as *mut _, len as usize, protection) } != 0 {
        let error = std::io::Error::last_os_error();
        return Err(Fault::new(
            Code::OUT_OF_MEMORY,
            format!("protecting {len} bytes: {error}"),
        ));
    }
    Ok(())
}

/// Gives whole pages inside `len` bytes at `address` back to the system; they read as zero.
fn discard(address: u64, len: u64) {
    let first = address.next_multiple_of(PAGE);
    let end = (address + len) / PAGE * PAGE;
    if first < end {
        // SAFETY: the pages belong to this module's mappings and hold nothing that is still read.
        unsafe { libc::madvise(first as *mut _, (end - first) as usize, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_end_at_their_guard() {
        let mut memory = Memory::new().unwrap();
        for size in [1, 4, 100, 4096, 5000] {
            let range = memory.allocate(size).unwrap();
            assert_eq!(range.start % ALIGN, 0);
            let end = range.start + size;
            assert!(end.next_multiple_of(PAGE) - end < ALIGN, "{size}");
            assert!(memory.check(range.start, size).is_ok());
            assert!(memory.check(range.start, size + 1).is_err());
            assert!(!memory.was_written(range.start));
        }
    }

    #[test]
    fn addresses_have_names() {
        let mut memory = Memory::new().unwrap();
        let range = memory.allocate(100).unwrap();
        let name = |memory: &Memory, address| memory.name(address);
        assert!(name(&memory, range.start + 104).contains("4 bytes behind the end"));
        assert!(name(&memory, &raw const range as u64).contains("a host pointer"));
        memory.free(range.start).unwrap();
        assert!(name(&memory, range.start).contains("freed buffer of 100 bytes"));
        assert!(memory.free(range.start).is_err());
    }
}
