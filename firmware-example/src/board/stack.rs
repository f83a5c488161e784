//! How deep the stack got: memory below it is painted at the start, and what still has the paint at
//! the end was never used.

use core::ptr::{addr_of, addr_of_mut};

// Of the linker scripts: the first address behind all static memory, the first one above the stack,
// and a symbol whose address is the number of bytes that a stack is sure to have.
unsafe extern "C" {
    static mut __sheap: u32;
    static _stack_start: u32;
    static _stack_reserve: u32;
}

const PAINT: u32 = 0x5afe_c0de;
/// Words that `paint` itself may use below its first local variable.
const OWN: usize = 64;

/// Paints the memory between static memory and the stack.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let words = ((addr_of!(here) as usize) - bottom()) / size_of::<u32>();
    let first = addr_of_mut!(__sheap);
    for word in 0..words.saturating_sub(OWN) {
        // SAFETY: behind all static memory and, by `OWN` words, below all that the stack holds.
        unsafe { first.add(word).write_volatile(PAINT) };
    }
}

/// Bytes of the stack that were used at most, and bytes that the linker script reserves.
pub fn depth() -> (usize, usize) {
    let first = addr_of!(__sheap);
    let room = addr_of!(_stack_start) as usize - bottom();
    let clean = (0..room / size_of::<u32>())
        // SAFETY: between static memory and the end of the stack.
        .take_while(|&word| unsafe { first.add(word).read_volatile() } == PAINT)
        .count();
    let reserve = addr_of!(_stack_reserve) as usize;
    (room - clean * size_of::<u32>(), reserve)
}

fn bottom() -> usize {
    addr_of!(__sheap) as usize
}
