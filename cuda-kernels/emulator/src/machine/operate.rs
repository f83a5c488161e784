//! What each operation does to a warp.

use super::launch::Block;
use super::warp::Warp;
use super::{convert, lanes, number};
use crate::error::{Code, Fault, Result};
use crate::ptx::operation::{Compare, Join, Op, Place};
use crate::ptx::types::Type;

impl Warp {
    /// Runs an operation in the lanes of `mask`; false if it needs more lanes than these.
    pub(super) fn operate(
        &mut self,
        op: &Op,
        mask: u32,
        line: u32,
        block: &mut Block<'_>,
    ) -> Result<bool> {
        match *op {
            Op::Fast(what, to, from) => self.fast(what, to, from, mask),
            Op::Mad(to, from) => self.mad(to, from, mask),
            Op::Fma(to, from) => self.fma(to, from, mask),
            Op::Fast64(what, to, from) => self.fast64(what, to, from, mask),
            Op::Fma64(to, from) => self.fma64(to, from, mask),
            Op::Shift64 { left, to, from } => self.shift64(left, to, from, mask),
            Op::Widen { signed, to, from } => self.widen(signed, to, from, mask),
            Op::Narrow(to, from) => self.narrow(to, from, mask),
            Op::MulWide { signed, to, from } => self.mul_wide(signed, to, from, mask),
            Op::Move32(to, from) => self.move32(to, from, mask),
            Op::Move64(to, from) => self.move64(to, from, mask),
            Op::Select32(to, from, p) => self.select32(to, from, p, mask),
            Op::Select64(to, from, p) => self.select64(to, from, p, mask),
            Op::Pack(to, from) => self.pack(to, from, mask),
            Op::Unpack(to, from) => self.unpack(to, from, mask),
            Op::Scalar {
                what,
                ty,
                mode,
                to,
                from,
            } => {
                for lane in lanes(mask) {
                    let from = from.map(|place| self.get(place, lane));
                    self.set(to, lane, number::scalar(what, ty, mode, from));
                }
            }
            Op::Convert {
                to_type,
                from_type,
                mode,
                whole,
                to,
                from,
            } => {
                for lane in lanes(mask) {
                    let bits = self.get(from, lane);
                    let new = convert::convert(to_type, from_type, mode, whole, bits);
                    self.set(to, lane, new);
                }
            }
            Op::ToTf32(to, from) => self.round_to_tf32(to, from, mask),
            Op::Compare { .. } => self.compare(op, mask),
            Op::Logic(join, to, [a, b]) => {
                let bits = joined(join, self.predicate(a), self.predicate(b));
                self.set_predicate(to, mask, bits);
            }
            Op::Load { ty, at, to, count } => self.load(block, (ty, count), at, to, mask, line)?,
            Op::Store {
                ty,
                at,
                from,
                count,
            } => {
                self.store(block, (ty, count), at, from, mask, line)?;
            }
            Op::Atomic { .. } => self.atomic(block, op, mask, line)?,
            Op::ActiveMask(to) => {
                let value = mask;
                for lane in lanes(mask) {
                    self.single[to as usize][lane] = value;
                }
            }
            Op::Shuffle { members, .. } | Op::Vote { members, .. } => {
                if !self.complete(members, mask)? {
                    return Ok(false);
                }
                self.exchange(op, mask)?;
            }
            Op::Mma { d, a, b, c } => {
                if mask != self.all {
                    return Ok(false);
                }
                self.mma(d, a, b, c)?;
            }
            Op::Trap => return Err(Fault::new(Code::LAUNCH_FAILED, "the kernel traps itself")),
            Op::Fence => {}
            Op::Barrier => {
                if mask != self.alive {
                    return Ok(false);
                }
                self.barrier = Some(self.now.at);
            }
            Op::WarpBarrier(members) => {
                if !self.complete(members, mask)? {
                    return Ok(false);
                }
                self.epoch = self.epoch.wrapping_add(1);
            }
            Op::Branch(_) | Op::Exit => {
                unreachable!("control flow is handled where lanes are scheduled")
            }
        }
        Ok(true)
    }

    fn compare(&mut self, op: &Op, mask: u32) {
        let Op::Compare {
            how,
            ty,
            flush,
            to,
            other,
            from,
            join,
        } = *op
        else {
            return;
        };
        let bits = match from {
            [Place::Single(a), Place::Single(b)] if !flush => self.compared(how, ty, [a, b]),
            _ => None,
        };
        let bits = bits.unwrap_or_else(|| self.compared_slowly(how, ty, flush, from, mask));
        let with = |bits, warp: &Self| match join {
            Some((join, p)) => joined(join, bits, warp.predicate(p)),
            None => bits,
        };
        let (first, second) = (with(bits, self), with(!bits, self));
        self.set_predicate(to, mask, first);
        if let Some(other) = other {
            self.set_predicate(other, mask, second);
        }
    }

    fn compared_slowly(
        &self,
        how: Compare,
        ty: Type,
        flush: bool,
        from: [Place; 2],
        mask: u32,
    ) -> u32 {
        let mut bits = 0;
        for lane in lanes(mask) {
            let [a, b] = from.map(|place| self.get(place, lane));
            let [a, b] = if flush {
                [a, b].map(|x| u64::from(number::flush(f32::from_bits(x as u32)).to_bits()))
            } else {
                [a, b]
            };
            bits |= u32::from(number::compare(how, ty, a, b)) << lane;
        }
        bits
    }
}

fn joined(join: Join, a: u32, b: u32) -> u32 {
    match join {
        Join::And => a & b,
        Join::Or => a | b,
        Join::Xor => a ^ b,
    }
}
