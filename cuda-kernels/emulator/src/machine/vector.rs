//! Operations on all lanes of a warp at once, in loops that compilers turn into vector code.

use super::LANES;
use super::convert::to_tf32;
use super::warp::Warp;
use crate::ptx::operation::{Compare, Fast, Fast64, Slot};
use crate::ptx::types::Type;

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

/// The lanes for which `holds`, as bits.
macro_rules! which {
    (|$lane:ident| $holds:expr) => {{
        let mut bits = 0u32;
        for $lane in 0..LANES {
            bits |= u32::from($holds) << $lane;
        }
        bits
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
            // Divisions by zero have no defined result; GPUs give all ones.
            Fast::DivU => put!(to, mask, |i| a[i].checked_div(b[i]).unwrap_or(u32::MAX)),
            Fast::RemU => put!(to, mask, |i| a[i].checked_rem(b[i]).unwrap_or(u32::MAX)),
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
            Fast::FNeg => put!(to, mask, |i| a[i] ^ 0x8000_0000),
            Fast::FAbs => put!(to, mask, |i| a[i] & 0x7fff_ffff),
        }
    }

    pub(super) fn fast64(&mut self, what: Fast64, to: Slot, [a, b]: [Slot; 2], mask: u32) {
        let a: Double = self.double[a as usize];
        let b: Double = self.double[b as usize];
        let to = &mut self.double[to as usize];
        let f = f64::from_bits;
        match what {
            Fast64::Add => put!(to, mask, |i| a[i].wrapping_add(b[i])),
            Fast64::Sub => put!(to, mask, |i| a[i].wrapping_sub(b[i])),
            Fast64::Mul => put!(to, mask, |i| a[i].wrapping_mul(b[i])),
            Fast64::And => put!(to, mask, |i| a[i] & b[i]),
            Fast64::Or => put!(to, mask, |i| a[i] | b[i]),
            Fast64::FAdd => put!(to, mask, |i| (f(a[i]) + f(b[i])).to_bits()),
            Fast64::FSub => put!(to, mask, |i| (f(a[i]) - f(b[i])).to_bits()),
            Fast64::FMul => put!(to, mask, |i| (f(a[i]) * f(b[i])).to_bits()),
        }
    }

    pub(super) fn shift64(&mut self, left: bool, to: Slot, [a, by]: [Slot; 2], mask: u32) {
        let a: Double = self.double[a as usize];
        let by: Single = self.single[by as usize];
        let to = &mut self.double[to as usize];
        if left {
            put!(to, mask, |i| if by[i] < 64 {
                a[i] << (by[i] & 63)
            } else {
                0
            });
        } else {
            put!(to, mask, |i| if by[i] < 64 {
                a[i] >> (by[i] & 63)
            } else {
                0
            });
        }
    }

    pub(super) fn mad(&mut self, to: Slot, [a, b, c]: [Slot; 3], mask: u32) {
        let a: Single = self.single[a as usize];
        let b: Single = self.single[b as usize];
        let c: Single = self.single[c as usize];
        let to = &mut self.single[to as usize];
        put!(to, mask, |i| a[i].wrapping_mul(b[i]).wrapping_add(c[i]));
    }

    pub(super) fn fma(&mut self, to: Slot, [a, b, c]: [Slot; 3], mask: u32) {
        let a: Single = self.single[a as usize];
        let b: Single = self.single[b as usize];
        let c: Single = self.single[c as usize];
        let to = &mut self.single[to as usize];
        let f = f32::from_bits;
        put!(to, mask, |i| f(a[i]).mul_add(f(b[i]), f(c[i])).to_bits());
    }

    pub(super) fn fma64(&mut self, to: Slot, [a, b, c]: [Slot; 3], mask: u32) {
        let a: Double = self.double[a as usize];
        let b: Double = self.double[b as usize];
        let c: Double = self.double[c as usize];
        let to = &mut self.double[to as usize];
        let f = f64::from_bits;
        put!(to, mask, |i| f(a[i]).mul_add(f(b[i]), f(c[i])).to_bits());
    }

    pub(super) fn mul_wide(&mut self, signed: bool, to: Slot, [a, b]: [Slot; 2], mask: u32) {
        let a: Single = self.single[a as usize];
        let b: Single = self.single[b as usize];
        let to = &mut self.double[to as usize];
        if signed {
            let wide = |x: u32| i64::from(x as i32);
            put!(to, mask, |i| (wide(a[i]) * wide(b[i])) as u64);
        } else {
            put!(to, mask, |i| u64::from(a[i]) * u64::from(b[i]));
        }
    }

    pub(super) fn round_to_tf32(&mut self, to: Slot, from: Slot, mask: u32) {
        let a: Single = self.single[from as usize];
        put!(&mut self.single[to as usize], mask, |i| to_tf32(a[i]));
    }

    pub(super) fn widen(&mut self, signed: bool, to: Slot, from: Slot, mask: u32) {
        let a: Single = self.single[from as usize];
        let to = &mut self.double[to as usize];
        if signed {
            put!(to, mask, |i| i64::from(a[i] as i32) as u64);
        } else {
            put!(to, mask, |i| u64::from(a[i]));
        }
    }

    pub(super) fn narrow(&mut self, to: Slot, from: Slot, mask: u32) {
        let a: Double = self.double[from as usize];
        put!(&mut self.single[to as usize], mask, |i| a[i] as u32);
    }

    pub(super) fn move32(&mut self, to: Slot, from: Slot, mask: u32) {
        let a = self.single[from as usize];
        put!(&mut self.single[to as usize], mask, |i| a[i]);
    }

    pub(super) fn move64(&mut self, to: Slot, from: Slot, mask: u32) {
        let a = self.double[from as usize];
        put!(&mut self.double[to as usize], mask, |i| a[i]);
    }

    pub(super) fn select32(&mut self, to: Slot, [a, b]: [Slot; 2], p: Slot, mask: u32) {
        let a: Single = self.single[a as usize];
        let b: Single = self.single[b as usize];
        let p = self.predicates[p as usize];
        let to = &mut self.single[to as usize];
        put!(to, mask, |i| if p >> i & 1 != 0 { a[i] } else { b[i] });
    }

    pub(super) fn select64(&mut self, to: Slot, [a, b]: [Slot; 2], p: Slot, mask: u32) {
        let a: Double = self.double[a as usize];
        let b: Double = self.double[b as usize];
        let p = self.predicates[p as usize];
        let to = &mut self.double[to as usize];
        put!(to, mask, |i| if p >> i & 1 != 0 { a[i] } else { b[i] });
    }

    pub(super) fn pack(&mut self, to: Slot, [low, high]: [Slot; 2], mask: u32) {
        let low: Single = self.single[low as usize];
        let high: Single = self.single[high as usize];
        let to = &mut self.double[to as usize];
        put!(to, mask, |i| u64::from(high[i]) << 32 | u64::from(low[i]));
    }

    pub(super) fn unpack(&mut self, to: [Slot; 2], from: Slot, mask: u32) {
        let a = self.double[from as usize];
        put!(&mut self.single[to[0] as usize], mask, |i| a[i] as u32);
        put!(&mut self.single[to[1] as usize], mask, |i| (a[i] >> 32)
            as u32);
    }

    /// The lanes whose values compare as asked; none for comparisons that take longer.
    pub(super) fn compared(&self, how: Compare, ty: Type, [a, b]: [Slot; 2]) -> Option<u32> {
        let (a, b) = (&self.single[a as usize], &self.single[b as usize]);
        let signed = |i: usize| (a[i] as i32, b[i] as i32);
        let float = |i: usize| (f32::from_bits(a[i]), f32::from_bits(b[i]));
        Some(match (ty, how) {
            (Type::U32 | Type::S32, Compare::Eq) => which!(|i| a[i] == b[i]),
            (Type::U32 | Type::S32, Compare::Ne) => which!(|i| a[i] != b[i]),
            (Type::U32, Compare::Lt) => which!(|i| a[i] < b[i]),
            (Type::U32, Compare::Le) => which!(|i| a[i] <= b[i]),
            (Type::U32, Compare::Gt) => which!(|i| a[i] > b[i]),
            (Type::U32, Compare::Ge) => which!(|i| a[i] >= b[i]),
            (Type::S32, Compare::Lt) => which!(|i| signed(i).0 < signed(i).1),
            (Type::S32, Compare::Le) => which!(|i| signed(i).0 <= signed(i).1),
            (Type::S32, Compare::Gt) => which!(|i| signed(i).0 > signed(i).1),
            (Type::S32, Compare::Ge) => which!(|i| signed(i).0 >= signed(i).1),
            (Type::F32, Compare::Lt) => which!(|i| float(i).0 < float(i).1),
            (Type::F32, Compare::Gt) => which!(|i| float(i).0 > float(i).1),
            (Type::F32, Compare::Ge) => which!(|i| float(i).0 >= float(i).1),
            (Type::F32, Compare::Eq) => which!(|i| float(i).0 == float(i).1),
            _ => return None,
        })
    }
}
