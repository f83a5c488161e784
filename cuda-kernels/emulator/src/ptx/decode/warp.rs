//! Control flow, barriers, and what lanes of a warp do together.

use super::super::operation::{Op, Predicate, Shuffle, Vote};
use super::super::tree::Operand;
use super::{Decoder, expected, refused};
use crate::error::Result;

impl Decoder<'_> {
    pub(super) fn warp(&mut self, parts: &[&str], operands: &[Operand]) -> Result<Op> {
        match (parts[0], operands) {
            ("bra", [Operand::Word(label)]) => {
                let target = self.kernel.labels.get(label);
                let target = target.ok_or_else(|| expected("a label", label))?;
                Ok(Op::Branch(*target as u32))
            }
            ("ret" | "exit", []) => Ok(Op::Exit),
            ("trap" | "brkpt", []) => Ok(Op::Trap),
            ("membar" | "fence", []) => Ok(Op::Fence),
            ("bar" | "barrier", _) => self.barrier(parts, operands),
            ("activemask", [to]) => Ok(Op::ActiveMask(self.single(to)?)),
            ("shfl", [to, value, lane, clamp, members]) => {
                self.shuffle(parts, to, [value, lane, clamp, members])
            }
            ("vote", [to, of, members]) => self.vote(parts, to, of, members),
            ("mma", [d, a, b, c]) => {
                let shape = [
                    "sync", "aligned", "m16n8k8", "row", "col", "f32", "tf32", "tf32", "f32",
                ];
                if parts[1..] != shape {
                    return Err(refused("shape"));
                }
                Ok(Op::Mma {
                    d: self.singles(d)?,
                    a: self.singles(a)?,
                    b: self.singles(b)?,
                    c: self.singles(c)?,
                })
            }
            _ => Err(refused("form")),
        }
    }

    fn barrier(&mut self, parts: &[&str], operands: &[Operand]) -> Result<Op> {
        if parts.contains(&"warp") {
            let [members] = operands else {
                return Err(refused("form"));
            };
            return Ok(Op::WarpBarrier(self.single(members)?));
        }
        match operands {
            [Operand::Word(zero)] if zero == "0" && parts.contains(&"sync") => Ok(Op::Barrier),
            _ => Err(refused("barrier other than bar.sync 0")),
        }
    }

    fn shuffle(&mut self, parts: &[&str], to: &Operand, rest: [&Operand; 4]) -> Result<Op> {
        let how = match parts[2] {
            "up" => Shuffle::Up,
            "down" => Shuffle::Down,
            "bfly" => Shuffle::Butterfly,
            "idx" => Shuffle::Index,
            _ => return Err(refused("mode")),
        };
        let (to, valid) = match to {
            Operand::Pair(to, valid) => {
                let valid = self.predicate_slot(valid)?;
                (Operand::Word(to.clone()), Some(valid))
            }
            to => (to.clone(), None),
        };
        Ok(Op::Shuffle {
            how,
            to: self.single(&to)?,
            valid,
            value: self.single(rest[0])?,
            lane: self.single(rest[1])?,
            clamp: self.single(rest[2])?,
            members: self.single(rest[3])?,
        })
    }

    fn vote(&mut self, parts: &[&str], to: &Operand, of: &Operand, all: &Operand) -> Result<Op> {
        let of: Predicate = self.predicate(of)?;
        let members = self.single(all)?;
        let how = match parts[2] {
            "any" => Vote::Any,
            "all" => Vote::All,
            "uni" => Vote::Uniform,
            "ballot" => Vote::Ballot,
            _ => return Err(refused("mode")),
        };
        let to = match how {
            Vote::Ballot => self.single(to)?,
            _ => self.predicate(to)?.slot,
        };
        Ok(Op::Vote {
            how,
            to,
            of,
            members,
        })
    }
}
