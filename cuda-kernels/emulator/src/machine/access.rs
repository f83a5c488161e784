//! Loads, stores and atomic operations; every access is checked.
//!
//! A fault is an address outside the memory that the access names, a misaligned address, a word
//! that was never written, and a race ([`crate::race`]). Races are watched by words of four bytes;
//! narrower accesses are not watched for them.

use super::launch::Block;
use super::warp::Warp;
use super::{LANES, lanes, number};
use crate::error::{Code, Fault, Result};
use crate::memory::Range;
use crate::ptx::decode::{LOCAL_WINDOW, SHARED_WINDOW};
use crate::ptx::operation::{Address, Atomic, Op, Place, Scalar};
use crate::ptx::tree::Space;
use crate::ptx::types::{Mode, Type};
use crate::race::Stamp;

/// What an access does to memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    /// Reads and writes at once.
    Both,
}

impl Warp {
    pub(super) fn load(
        &mut self,
        block: &mut Block<'_>,
        (ty, count): (Type, u8),
        at: Address,
        to: [Place; 4],
        mask: u32,
        line: u32,
    ) -> Result<()> {
        // A copy of the loop for each of the spaces that most time goes to.
        match at.space {
            Space::Shared => self.load_in(Space::Shared, block, (ty, count), at, to, mask, line),
            Space::Global => self.load_in(Space::Global, block, (ty, count), at, to, mask, line),
            other => self.load_in(other, block, (ty, count), at, to, mask, line),
        }
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn load_in(
        &mut self,
        space: Space,
        block: &mut Block<'_>,
        (ty, count): (Type, u8),
        at: Address,
        to: [Place; 4],
        mask: u32,
        line: u32,
    ) -> Result<()> {
        let bytes = ty.bytes();
        let whole = bytes * u64::from(count);
        let at = Address { space, ..at };
        for lane in lanes(mask) {
            let stamp = self.stamp(block, lane, line);
            let from = self.resolve(block, at, whole, lane, (stamp, Kind::Read))?;
            for (index, place) in to.iter().take(count.into()).enumerate() {
                // SAFETY: `resolve` checked `whole` bytes from here.
                let bits = unsafe { read(from.add(index * bytes as usize), bytes) };
                self.set(*place, lane, number::extend(ty, bits));
            }
        }
        Ok(())
    }

    pub(super) fn store(
        &mut self,
        block: &mut Block<'_>,
        (ty, count): (Type, u8),
        at: Address,
        from: [Place; 4],
        mask: u32,
        line: u32,
    ) -> Result<()> {
        let bytes = ty.bytes();
        let whole = bytes * u64::from(count);
        for lane in lanes(mask) {
            let stamp = self.stamp(block, lane, line);
            let to = self.resolve(block, at, whole, lane, (stamp, Kind::Write))?;
            for (index, place) in from.iter().take(count.into()).enumerate() {
                let bits = self.get(*place, lane);
                // SAFETY: `resolve` checked `whole` bytes from here.
                unsafe { write(to.add(index * bytes as usize), bytes, bits) };
            }
        }
        Ok(())
    }

    /// Lanes take their turns in order.
    pub(super) fn atomic(
        &mut self,
        block: &mut Block<'_>,
        op: &Op,
        mask: u32,
        line: u32,
    ) -> Result<()> {
        let Op::Atomic {
            what,
            ty,
            at,
            to,
            from,
        } = *op
        else {
            return Ok(());
        };
        for lane in lanes(mask) {
            let stamp = self.stamp(block, lane, line).atomic();
            let bytes = ty.bytes();
            let place = self.resolve(block, at, bytes, lane, (stamp, Kind::Both))?;
            // SAFETY: `resolve` checked `bytes` bytes there.
            let old = unsafe { read(place, bytes) };
            let [a, b] = from.map(|place| self.get(place, lane));
            // SAFETY: as above.
            unsafe { write(place, bytes, updated(what, ty, old, a, b)) };
            if let Some(to) = to {
                self.set(to, lane, old);
            }
        }
        Ok(())
    }

    /// Checks an access of `len` bytes and gives its place in the emulator's memory.
    #[inline(always)]
    fn resolve(
        &mut self,
        block: &mut Block<'_>,
        at: Address,
        len: u64,
        lane: usize,
        how: (Stamp, Kind),
    ) -> Result<*mut u8> {
        let base = at.base.map_or(0, |place| self.get(place, lane));
        let address = base.wrapping_add(at.offset);
        let (space, address) = if at.space == Space::Generic {
            specific(address)
        } else {
            (at.space, address)
        };
        // `len` is a power of two.
        let checked = if address & (len - 1) != 0 {
            Err(Fault::new(
                Code::MISALIGNED_ADDRESS,
                format!("{len} bytes at {address:#x}: misaligned"),
            ))
        } else {
            match space {
                Space::Global | Space::Generic => block.global(address, len, how),
                Space::Shared => block.shared(address & 0xffff_ffff, len, how),
                Space::Local => self.local(address & 0xffff_ffff, len, lane),
                Space::Param => block.param(address, len),
            }
        };
        checked.map_err(|fault| {
            let thread = block.thread(how.0.thread());
            fault.at(format!("thread {thread}: {}", how.1.name(space)))
        })
    }

    fn local(&mut self, address: u64, len: u64, lane: usize) -> Result<*mut u8> {
        let size = (self.local.len() / LANES) as u64;
        let range = Range { start: 0, size };
        if !range.holds(address, len) {
            return Err(outside("a thread's own memory", address, len, size));
        }
        let offset = lane * size as usize + address as usize;
        Ok(self.local[offset..].as_mut_ptr())
    }
}

impl Kind {
    fn name(self, space: Space) -> String {
        let what = match self {
            Self::Read => "read from",
            Self::Write => "write to",
            Self::Both => "atomic operation on",
        };
        let space = match space {
            Space::Global | Space::Generic => "global",
            Space::Shared => "shared",
            Space::Local => "local",
            Space::Param => "parameter",
        };
        format!("{what} {space} memory")
    }
}

impl Block<'_> {
    #[inline]
    fn global(&mut self, address: u64, len: u64, (stamp, kind): (Stamp, Kind)) -> Result<*mut u8> {
        if !self.recent.holds(address, len) {
            self.recent = self.memory.check(address, len)?;
        }
        if len < 4 {
            return self.narrow(address, len, kind);
        }
        let mut word = address;
        while word < address + len {
            if kind != Kind::Write && !self.memory.was_written(word) {
                return Err(self.never_written(word));
            }
            if let Some(race) = note(self.memory.cell(word), kind, stamp, self.first) {
                let name = self.memory.name(word);
                return Err(self.race(race, stamp, &name));
            }
            word += 4;
        }
        if kind != Kind::Read {
            self.memory.mark_written(address, len);
        }
        Ok(address as *mut u8)
    }

    fn narrow(&mut self, address: u64, len: u64, kind: Kind) -> Result<*mut u8> {
        if kind != Kind::Write && !self.memory.was_written(address / 4 * 4) {
            return Err(self.never_written(address));
        }
        if kind != Kind::Read {
            self.memory.mark_written(address, len);
        }
        Ok(address as *mut u8)
    }

    #[cold]
    fn never_written(&self, address: u64) -> Fault {
        let name = self.memory.name(address);
        Fault::new(Code::LAUNCH_FAILED, format!("never written: {name}"))
    }

    #[inline]
    fn shared(&mut self, address: u64, len: u64, (stamp, kind): (Stamp, Kind)) -> Result<*mut u8> {
        let size = self.shared.len() as u64;
        if !(Range { start: 0, size }).holds(address, len) {
            return Err(outside("the block's shared memory", address, len, size));
        }
        let mut word = address;
        while len >= 4 && word < address + len {
            let cell = &mut self.cells[(word / 4) as usize];
            if kind != Kind::Write && !cell.written_in(self.number) {
                let text = format!("never written: byte {word}");
                return Err(Fault::new(Code::LAUNCH_FAILED, text));
            }
            // Other blocks had other shared memory.
            if let Some(race) = note(cell, kind, stamp, self.number) {
                return Err(self.race(race, stamp, &format!("byte {word}")));
            }
            word += 4;
        }
        Ok(self.shared[address as usize..].as_mut_ptr())
    }

    #[cold]
    fn race(&self, (other, writes): (Stamp, bool), now: Stamp, name: &str) -> Fault {
        let what = if writes { "writes" } else { "reads" };
        let thread = self.thread(other.thread());
        let whose = match self.number - other.block {
            0 => "of this block".to_owned(),
            _ => format!("of block number {}", other.block - self.first),
        };
        let missing = if other.block == now.block {
            "no barrier"
        } else {
            "nothing between blocks"
        };
        let line = other.line;
        Fault::new(
            Code::LAUNCH_FAILED,
            format!(
                "race on {name}: thread {thread} {whose} {what} it at PTX line {line}, \
                 and {missing} orders the two"
            ),
        )
    }

    fn param(&mut self, address: u64, len: u64) -> Result<*mut u8> {
        let size = self.params.len() as u64;
        if !(Range { start: 0, size }).holds(address, len) {
            return Err(outside("the arguments", address, len, size));
        }
        Ok(self.params[address as usize..].as_ptr().cast_mut())
    }
}

#[inline(always)]
fn note(
    cell: &mut crate::race::Cell,
    kind: Kind,
    stamp: Stamp,
    first: u32,
) -> Option<(Stamp, bool)> {
    match kind {
        Kind::Read => cell.read(stamp, first).map(|other| (other, true)),
        Kind::Write | Kind::Both => cell.write(stamp, first),
    }
}

#[cold]
fn outside(what: &str, address: u64, len: u64, size: u64) -> Fault {
    Fault::new(
        Code::ILLEGAL_ADDRESS,
        format!("{len} bytes at {address:#x} of {what}, which has {size} bytes"),
    )
}

/// Space and address there of a generic address.
fn specific(address: u64) -> (Space, u64) {
    match address >> 32 {
        window if window == SHARED_WINDOW >> 32 => (Space::Shared, address - SHARED_WINDOW),
        window if window == LOCAL_WINDOW >> 32 => (Space::Local, address - LOCAL_WINDOW),
        _ => (Space::Global, address),
    }
}

/// What an atomic operation leaves in memory.
fn updated(what: Atomic, ty: Type, old: u64, a: u64, b: u64) -> u64 {
    let scalar = |what| number::scalar(what, ty, Mode::default(), [old, a, 0]);
    match what {
        Atomic::Add => scalar(Scalar::Add),
        Atomic::Min => scalar(Scalar::Min),
        Atomic::Max => scalar(Scalar::Max),
        Atomic::And => old & a,
        Atomic::Or => old | a,
        Atomic::Xor => old ^ a,
        Atomic::Exchange => a,
        Atomic::CompareExchange if old == number::extend(ty, a) => b,
        Atomic::CompareExchange => old,
    }
}

/// # Safety
///
/// `bytes` bytes at `at` are readable, and aligned.
unsafe fn read(at: *const u8, bytes: u64) -> u64 {
    // SAFETY: by the caller.
    unsafe {
        match bytes {
            1 => u64::from(at.read()),
            2 => u64::from(at.cast::<u16>().read_unaligned()),
            4 => u64::from(at.cast::<u32>().read_unaligned()),
            _ => at.cast::<u64>().read_unaligned(),
        }
    }
}

/// # Safety
///
/// `bytes` bytes at `at` are writable, and aligned.
unsafe fn write(at: *mut u8, bytes: u64, bits: u64) {
    // SAFETY: by the caller.
    unsafe {
        match bytes {
            1 => at.write(bits as u8),
            2 => at.cast::<u16>().write_unaligned(bits as u16),
            4 => at.cast::<u32>().write_unaligned(bits as u32),
            _ => at.cast::<u64>().write_unaligned(bits),
        }
    }
}
