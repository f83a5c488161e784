//! What the lanes of a warp do together.

use super::vector::Single;
use super::warp::Warp;
use super::{LANES, lanes};
use crate::error::{Code, Fault, Result};
use crate::ptx::operation::{Op, Shuffle, Slot, Vote};

impl Warp {
    /// Shuffles and votes, once all lanes are there.
    pub(super) fn exchange(&mut self, op: &Op, mask: u32) -> Result<()> {
        match *op {
            Op::Shuffle {
                how,
                to,
                valid,
                value,
                lane,
                clamp,
                ..
            } => {
                let values = self.single[value as usize];
                let (by, clamp) = (self.single[lane as usize], self.single[clamp as usize]);
                let mut inside = 0;
                for lane in lanes(mask) {
                    let source = source(how, lane as u32, by[lane], clamp[lane]);
                    inside |= u32::from(source.is_some()) << lane;
                    let from = source.unwrap_or(lane as u32);
                    if mask >> from & 1 == 0 {
                        return Err(Fault::new(
                            Code::LAUNCH_FAILED,
                            format!("shuffle: lane {lane} reads lane {from}, which takes no part"),
                        ));
                    }
                    self.single[to as usize][lane] = values[from as usize];
                }
                if let Some(valid) = valid {
                    let p = &mut self.predicates[valid as usize];
                    *p = *p & !mask | inside;
                }
            }
            Op::Vote { how, to, of, .. } => {
                let yes = self.predicate(of) & mask;
                let answer = match how {
                    Vote::Any => yes != 0,
                    Vote::All => yes == mask,
                    Vote::Uniform => yes == 0 || yes == mask,
                    Vote::Ballot => {
                        for lane in lanes(mask) {
                            self.single[to as usize][lane] = yes;
                        }
                        return Ok(());
                    }
                };
                let p = &mut self.predicates[to as usize];
                *p = if answer { *p | mask } else { *p & !mask };
            }
            _ => {}
        }
        Ok(())
    }

    /// The product of fragments, which takes whole warps.
    pub(super) fn mma(
        &mut self,
        d: [Slot; 4],
        a: [Slot; 4],
        b: [Slot; 2],
        c: [Slot; 4],
    ) -> Result<()> {
        if self.alive != u32::MAX {
            let text = "product of fragments by fewer than 32 lanes";
            return Err(Fault::new(Code::LAUNCH_FAILED, text));
        }
        let of = |slot: Slot| self.single[slot as usize];
        let sums = product(&a.map(of), &b.map(of), &c.map(of));
        for (slot, sums) in d.iter().zip(sums) {
            self.single[*slot as usize] = sums;
        }
        Ok(())
    }
}

/// `A·B + C`, A of (16, 8) and B of (8, 8) in tf32, C and the result of (16, 8) in f32, by register
/// and lane as the PTX ISA says (section mma.m16n8k8). Products are exact in f32, short of
/// underflow; they are added one by one, which is one of the orders that hardware may take.
pub fn product(a: &[Single; 4], b: &[Single; 2], c: &[Single; 4]) -> [Single; 4] {
    let (mut left, mut right) = ([[0f32; 8]; 16], [[0f32; 8]; 8]);
    // The lowest 13 bits do not count.
    let value = |bits: u32| f32::from_bits(bits & !0x1fff);
    for lane in 0..LANES {
        let (group, place) = (lane / 4, lane % 4);
        for (index, register) in a.iter().enumerate() {
            left[group + index % 2 * 8][place + index / 2 * 4] = value(register[lane]);
        }
        for (index, register) in b.iter().enumerate() {
            right[place + index * 4][group] = value(register[lane]);
        }
    }
    let mut sums = [[0f32; 8]; 16];
    let spread = |lane: usize, index: usize| {
        let (row, column) = (lane / 4 + index / 2 * 8, lane % 4 * 2 + index % 2);
        (row, column)
    };
    for (index, register) in c.iter().enumerate() {
        for (lane, bits) in register.iter().enumerate() {
            let (row, column) = spread(lane, index);
            sums[row][column] = f32::from_bits(*bits);
        }
    }
    for (sums, left) in sums.iter_mut().zip(&left) {
        for (a, right) in left.iter().zip(&right) {
            for (sum, b) in sums.iter_mut().zip(right) {
                *sum += a * b;
            }
        }
    }
    let mut out = [[0; LANES]; 4];
    for (index, register) in out.iter_mut().enumerate() {
        for (lane, bits) in register.iter_mut().enumerate() {
            let (row, column) = spread(lane, index);
            *bits = sums[row][column].to_bits();
        }
    }
    out
}

/// The lane that `lane` reads, by the pseudo-code of the PTX ISA (section shfl.sync); none where it
/// would lie outside its segment.
fn source(how: Shuffle, lane: u32, by: u32, clamp: u32) -> Option<u32> {
    let (by, segment) = (by & 31, clamp >> 8 & 31);
    let most = (lane & segment) | (clamp & 31 & !segment);
    let least = lane & segment;
    let (at, inside) = match how {
        Shuffle::Up => {
            let at = lane.wrapping_sub(by) as i32;
            (at as u32, at >= most as i32)
        }
        Shuffle::Down => (lane + by, lane + by <= most),
        Shuffle::Butterfly => (lane ^ by, lane ^ by <= most),
        Shuffle::Index => {
            let at = least | (by & !segment);
            (at, at <= most)
        }
    };
    inside.then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_stay_in_their_segment() {
        // What nvcc emits for segments of 32 and of 8 lanes: clamp 31 or 0, segment in bits 8 to 12.
        let (whole, eight) = (31, 24 << 8 | 31);
        assert_eq!(source(Shuffle::Down, 5, 3, whole), Some(8));
        assert_eq!(source(Shuffle::Down, 30, 3, whole), None);
        assert_eq!(source(Shuffle::Down, 6, 2, eight), None);
        assert_eq!(source(Shuffle::Up, 5, 3, 0), Some(2));
        assert_eq!(source(Shuffle::Up, 2, 3, 0), None);
        assert_eq!(source(Shuffle::Up, 9, 2, 24 << 8), None);
        assert_eq!(source(Shuffle::Butterfly, 9, 4, whole), Some(13));
        assert_eq!(source(Shuffle::Index, 9, 2, eight), Some(10));
    }
}
