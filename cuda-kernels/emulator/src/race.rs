//! Who touched a word last, and whether two accesses race.
//!
//! Two accesses to a word by different threads race if one of them writes, not both are atomic, and
//! nothing orders them: between threads of a block a `bar.sync` does, between threads of a warp a
//! `bar.warp.sync` too, between blocks of a launch nothing.

/// One access.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Stamp {
    /// Running number of the block over all launches; 0: none yet.
    pub block: u32,
    /// Barriers that the block had passed.
    pub epoch: u32,
    /// Line of the PTX.
    pub line: u32,
    /// Thread of the block, and flags above it.
    thread: u16,
    /// Warp barriers that the warp had passed, modulo 65536.
    pub warp_epoch: u16,
}

const THREAD: u16 = 0x3ff;
/// Several threads of one warp read.
const LANES: u16 = 0x400;
/// Threads of several warps read.
const WARPS: u16 = 0x800;
/// Several blocks of a launch read.
const BLOCKS: u16 = 0x1000;
/// By an atomic operation.
const ATOMIC: u16 = 0x2000;

impl Stamp {
    /// An access by `thread` (0..1024) of block number `block`.
    #[inline]
    pub fn new(block: u32, epoch: u32, thread: u32, warp_epoch: u16, line: u32) -> Self {
        Self {
            block,
            epoch,
            line,
            thread: thread as u16 & THREAD,
            warp_epoch,
        }
    }

    /// The same access, as part of an atomic operation.
    pub fn atomic(self) -> Self {
        let thread = self.thread | ATOMIC;
        Self { thread, ..self }
    }

    /// Thread of the block.
    pub fn thread(self) -> u32 {
        u32::from(self.thread & THREAD)
    }

    fn has(self, flag: u16) -> bool {
        self.thread & flag != 0
    }

    fn same_warp(self, other: Self) -> bool {
        self.thread() / 32 == other.thread() / 32
    }

    /// Whether `self`, an access before `now` in the same launch, is unordered with it.
    #[inline]
    fn unordered(self, now: Self) -> bool {
        if self.has(ATOMIC) && now.has(ATOMIC) {
            return false;
        }
        if self.block != now.block || self.has(BLOCKS) {
            return true;
        }
        if self.epoch != now.epoch {
            return false;
        }
        if self.has(WARPS) || !self.same_warp(now) {
            return true;
        }
        let other = self.has(LANES) || self.thread() != now.thread();
        other && self.warp_epoch == now.warp_epoch
    }
}

/// The last write of a word and its last reads.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Cell {
    writer: Stamp,
    reader: Stamp,
}

impl Cell {
    /// Notes a read; the write that it races with, if any. `first` is the number of the launch's
    /// first block.
    #[inline]
    pub fn read(&mut self, now: Stamp, first: u32) -> Option<Stamp> {
        let writer = self.writer;
        if writer.block >= first && writer.unordered(now) {
            return Some(writer);
        }
        let old = self.reader;
        let mut new = now;
        if old.block >= first {
            if old.block != now.block {
                new.thread |= BLOCKS;
            } else {
                new.thread |= old.thread & BLOCKS;
                if old.epoch == now.epoch {
                    new.thread |= many(old, now);
                }
            }
        }
        self.reader = new;
        None
    }

    /// Notes a write; the access that it races with, if any, and whether that one writes.
    #[inline]
    pub fn write(&mut self, now: Stamp, first: u32) -> Option<(Stamp, bool)> {
        let (writer, reader) = (self.writer, self.reader);
        if writer.block >= first && writer.unordered(now) {
            return Some((writer, true));
        }
        if reader.block >= first && reader.unordered(now) {
            return Some((reader, false));
        }
        self.writer = now;
        None
    }

    /// Whether block number `block` wrote this word.
    #[inline]
    pub fn written_in(&self, block: u32) -> bool {
        self.writer.block == block
    }
}

fn many(old: Stamp, now: Stamp) -> u16 {
    if old.has(WARPS) || !old.same_warp(now) {
        return WARPS;
    }
    if old.has(LANES) || old.thread() != now.thread() {
        return LANES;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(block: u32, epoch: u32, thread: u32, warp_epoch: u16) -> Stamp {
        Stamp::new(block, epoch, thread, warp_epoch, 1)
    }

    #[test]
    fn barriers_order() {
        let mut cell = Cell::default();
        assert!(cell.write(at(1, 0, 0, 0), 1).is_none());
        assert!(cell.read(at(1, 0, 0, 0), 1).is_none());
        assert!(cell.read(at(1, 0, 1, 0), 1).is_some());
        assert!(cell.read(at(1, 0, 1, 1), 1).is_none(), "warp barrier");
        assert!(cell.read(at(1, 0, 32, 1), 1).is_some(), "other warp");
        assert!(cell.read(at(1, 1, 32, 0), 1).is_none(), "barrier");
        assert!(cell.read(at(1, 1, 64, 0), 1).is_none(), "reads share");
        assert!(cell.write(at(1, 1, 64, 0), 1).is_some(), "read and write");
        assert!(cell.write(at(1, 2, 64, 0), 1).is_none());
    }

    #[test]
    fn blocks_are_never_ordered_within_a_launch() {
        let mut cell = Cell::default();
        assert!(cell.write(at(1, 0, 0, 0), 1).is_none());
        assert!(cell.read(at(2, 5, 0, 0), 1).is_some());
        assert!(cell.read(at(2, 5, 0, 0), 2).is_none(), "next launch");
        assert!(cell.read(at(3, 0, 0, 0), 2).is_none());
        assert!(cell.write(at(3, 1, 0, 0), 2).is_some());
        let mut cell = Cell::default();
        assert!(cell.write(at(3, 0, 0, 0).atomic(), 2).is_none());
        assert!(cell.write(at(4, 0, 0, 0).atomic(), 2).is_none());
        assert!(cell.write(at(4, 0, 1, 0), 2).is_some());
    }
}
