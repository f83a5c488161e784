//! Operations on all lanes of a warp at once, in loops that compilers turn into vector code.

use super::LANES;
use super::warp::Warp;
use crate::ptx::operation::{Fast, Slot};

/// 32 lanes of a 32-bit register.
pub type Single = [u32; LANES];
/// 32 lanes of a 64-bit register.
pub type Double = [u64; LANES];

/// Puts `new` into the lanes of `mask`.
macro_rules! put {
    ($to:expr, $mask:expr, |$lane:ident| $new:expr) => {{
        let to = $to;
        if $mask == u32::MAX {
            for $lane in 0..LANES {
                to[$lane] = $new;
            }
        } else {
            for $lane in 0..LANES {
                let new = $new;
                to[$lane] = if $mask >> $lane & 1 != 0 {
                    new
                } else {
                    to[$lane]
                };
            }
        }
    }};
}

impl Warp {
    pub(super) fn fast(&mut self, what: Fast, to: Slot, [a, b]: [Slot; 2], mask: u32) {
        let a: Single = self.single[a as usize];
        let b: Single = self.single[b as usize];
        let to = &mut self.single[to as usize];
        let f = f32::from_bits;
        match what {
            Fast::Add => put!(to, mask, |i| a[i].wrapping_add(b[i])),
            Fast::Sub => put!(to, mask, |i| a[i].wrapping_sub(b[i])),
            Fast::Mul => put!(to, mask, |i| a[i].wrapping_mul(b[i])),
            Fast::And => put!(to, mask, |i| a[i] & b[i]),
            Fast::Or => put!(to, mask, |i| a[i] | b[i]),
            Fast::Xor => put!(to, mask, |i| a[i] ^ b[i]),
            Fast::Shl => put!(to, mask, |i| if b[i] < 32 {
                a[i] << (b[i] & 31)
            } else {
                0
            }),
            Fast::ShrU => put!(to, mask, |i| if b[i] < 32 {
                a[i] >> (b[i] & 31)
            } else {
                0
            }),
            Fast::ShrS => put!(to, mask, |i| ((a[i] as i32) >> b[i].min(31)) as u32),
            Fast::FAdd => put!(to, mask, |i| (f(a[i]) + f(b[i])).to_bits()),
            Fast::FSub => put!(to, mask, |i| (f(a[i]) - f(b[i])).to_bits()),
            Fast::FMul => put!(to, mask, |i| (f(a[i]) * f(b[i])).to_bits()),
            Fast::FDiv => put!(to, mask, |i| (f(a[i]) / f(b[i])).to_bits()),
            Fast::FMin => put!(to, mask, |i| f(a[i]).min(f(b[i])).to_bits()),
            Fast::FMax => put!(to, mask, |i| f(a[i]).max(f(b[i])).to_bits()),
        }
    }

    pub(super) fn mad(&mut self, to: Slot, from: [Slot; 3], mask: u32) {
        let [a, b, c] = from.map(|slot| self.single[slot as usize]);
        let to = &mut self.single[to as usize];
        put!(to, mask, |i| a[i].wrapping_mul(b[i]).wrapping_add(c[i]));
    }

    pub(super) fn fma(&mut self, to: Slot, from: [Slot; 3], mask: u32) {
        let [a, b, c] = from.map(|slot| self.single[slot as usize]);
        let to = &mut self.single[to as usize];
        let f = f32::from_bits;
        put!(to, mask, |i| f(a[i]).mul_add(f(b[i]), f(c[i])).to_bits());
    }

    pub(super) fn add64(&mut self, to: Slot, from: [Slot; 2], mask: u32) {
        let [a, b] = from.map(|slot| self.double[slot as usize]);
        let to = &mut self.double[to as usize];
        put!(to, mask, |i| a[i].wrapping_add(b[i]));
    }

    pub(super) fn mul_wide(&mut self, signed: bool, to: Slot, from: [Slot; 2], mask: u32) {
        let [a, b] = from.map(|slot| self.single[slot as usize]);
        let to = &mut self.double[to as usize];
        if signed {
            let wide = |x: u32| i64::from(x as i32);
            put!(to, mask, |i| (wide(a[i]) * wide(b[i])) as u64);
        } else {
            put!(to, mask, |i| u64::from(a[i]) * u64::from(b[i]));
        }
    }

    pub(super) fn move32(&mut self, to: Slot, from: Slot, mask: u32) {
        let a = self.single[from as usize];
        put!(&mut self.single[to as usize], mask, |i| a[i]);
    }

    pub(super) fn move64(&mut self, to: Slot, from: Slot, mask: u32) {
        let a = self.double[from as usize];
        put!(&mut self.double[to as usize], mask, |i| a[i]);
    }

    pub(super) fn select32(&mut self, to: Slot, from: [Slot; 2], p: Slot, mask: u32) {
        let [a, b] = from.map(|slot| self.single[slot as usize]);
        let p = self.predicates[p as usize];
        let to = &mut self.single[to as usize];
        put!(to, mask, |i| if p >> i & 1 != 0 { a[i] } else { b[i] });
    }

    pub(super) fn select64(&mut self, to: Slot, from: [Slot; 2], p: Slot, mask: u32) {
        let [a, b] = from.map(|slot| self.double[slot as usize]);
        let p = self.predicates[p as usize];
        let to = &mut self.double[to as usize];
        put!(to, mask, |i| if p >> i & 1 != 0 { a[i] } else { b[i] });
    }

    pub(super) fn pack(&mut self, to: Slot, from: [Slot; 2], mask: u32) {
        let [low, high] = from.map(|slot| self.single[slot as usize]);
        let to = &mut self.double[to as usize];
        put!(to, mask, |i| u64::from(high[i]) << 32 | u64::from(low[i]));
    }

    pub(super) fn unpack(&mut self, to: [Slot; 2], from: Slot, mask: u32) {
        let a = self.double[from as usize];
        put!(&mut self.single[to[0] as usize], mask, |i| a[i] as u32);
        put!(&mut self.single[to[1] as usize], mask, |i| (a[i] >> 32)
            as u32);
    }
}
