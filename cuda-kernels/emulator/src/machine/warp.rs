//! A warp: registers of 32 lanes, and which lanes are where.
//!
//! Lanes that branch apart become groups. The group that is least far in the program runs, which
//! brings groups together again where their paths meet. A group waits at an operation that needs
//! more lanes than it has.

use super::launch::Block;
use super::vector::{Double, Single};
use super::{LANES, lanes};
use crate::error::{Code, Fault, Result};
use crate::ptx::decode::Program;
use crate::ptx::operation::{Op, Place, Predicate, Slot, Special, Step};
use crate::race::Stamp;

/// Lanes at the same place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) at: u32,
    mask: u32,
    waits: bool,
}

/// A warp of a block.
pub struct Warp {
    pub(super) single: Vec<Single>,
    pub(super) double: Vec<Double>,
    pub(super) predicates: Vec<u32>,
    /// Memory of each lane's own, lane after lane.
    pub(super) local: Vec<u8>,
    /// Number in its block.
    pub(super) index: u32,
    /// Lanes that exist.
    pub(super) all: u32,
    /// Lanes that have not returned.
    pub(super) alive: u32,
    /// Warp barriers passed since the last barrier of the block.
    pub(super) epoch: u16,
    pub(super) now: Group,
    others: Vec<Group>,
    /// Index of the barrier that all lanes wait at.
    pub(super) barrier: Option<u32>,
}

impl Warp {
    /// Warp number `index` of a block of `shape` threads, with its constants.
    pub fn new(program: &Program, index: u32, shape: [u32; 3]) -> Self {
        let slots = &program.slots;
        let threads = shape.iter().product::<u32>();
        let count = (threads - index * LANES as u32).min(LANES as u32);
        let mut warp = Self {
            single: vec![[0; LANES]; slots.singles as usize],
            double: vec![[0; LANES]; slots.doubles as usize],
            predicates: vec![0; slots.predicates as usize],
            local: vec![0; program.local as usize * LANES],
            index,
            all: u32::MAX >> (LANES as u32 - count),
            alive: 0,
            epoch: 0,
            now: Group {
                at: 0,
                mask: 0,
                waits: false,
            },
            others: Vec::new(),
            barrier: None,
        };
        for (slot, value) in slots.singles() {
            warp.single[slot as usize] = [value; LANES];
        }
        for (slot, value) in slots.doubles() {
            warp.double[slot as usize] = [value; LANES];
        }
        for (slot, value) in slots.truths() {
            warp.predicates[slot as usize] = if value { u32::MAX } else { 0 };
        }
        for lane in 0..LANES as u32 {
            let thread = index * LANES as u32 + lane;
            let [x, y, _] = shape;
            let tid = [thread % x, thread / x % y, thread / (x * y)];
            for (slot, what) in slots.specials() {
                let value = match what {
                    Special::Tid(axis) => tid[axis],
                    Special::Ntid(axis) => shape[axis],
                    Special::Lane => lane,
                    Special::Warp => index,
                    Special::Ctaid(_) | Special::Nctaid(_) => continue,
                };
                warp.single[slot as usize][lane as usize] = value;
            }
        }
        warp
    }

    /// Puts all lanes at the start of the program, in the block at `place` of `grid`.
    pub fn start(&mut self, program: &Program, place: [u32; 3], grid: [u32; 3]) {
        for (slot, what) in program.slots.specials() {
            let value = match what {
                Special::Ctaid(axis) => place[axis],
                Special::Nctaid(axis) => grid[axis],
                _ => continue,
            };
            self.single[slot as usize] = [value; LANES];
        }
        self.alive = self.all;
        self.epoch = 0;
        self.now = Group {
            at: 0,
            mask: self.all,
            waits: false,
        };
        self.others.clear();
        self.barrier = None;
    }

    /// Lets the warp pass the barrier that it waits at.
    pub fn pass(&mut self) {
        self.barrier = None;
        self.epoch = 0;
    }

    /// Runs until every lane has returned or waits at a barrier of the block.
    pub fn run(&mut self, steps: &[Step], block: &mut Block<'_>) -> Result<()> {
        while self.alive != 0 && self.barrier.is_none() {
            let step = &steps[self.now.at as usize];
            let mask = self.now.mask & self.guard(step.guard);
            self.step(step, mask, block)
                .map_err(|fault| block.told(fault, self, mask, step.line))?;
            if !self.others.is_empty() {
                self.gather();
            }
        }
        Ok(())
    }

    fn guard(&self, guard: Option<Predicate>) -> u32 {
        guard.map_or(u32::MAX, |p| self.predicate(p))
    }

    pub(super) fn predicate(&self, Predicate { slot, negated }: Predicate) -> u32 {
        let bits = self.predicates[slot as usize];
        if negated { !bits } else { bits }
    }

    fn step(&mut self, step: &Step, mask: u32, block: &mut Block<'_>) -> Result<()> {
        match &step.op {
            Op::Branch(target) => {
                self.branch(*target, mask);
                return Ok(());
            }
            Op::Exit => {
                self.exit(mask);
                return Ok(());
            }
            _ if mask == 0 => {}
            op => {
                if !self.operate(op, mask, step.line, block)? {
                    return self.wait();
                }
            }
        }
        self.now.at += 1;
        Ok(())
    }

    fn branch(&mut self, target: u32, taken: u32) {
        let stay = self.now.mask & !taken;
        if taken == 0 {
            self.now.at += 1;
        } else if stay == 0 {
            self.now.at = target;
        } else {
            let waits = false;
            self.others.push(Group {
                at: target,
                mask: taken,
                waits,
            });
            self.now.mask = stay;
            self.now.at += 1;
        }
    }

    fn exit(&mut self, mask: u32) {
        self.alive &= !mask;
        self.now.mask &= !mask;
        self.now.at += 1;
        if mask != 0 {
            // Those who wait may have waited for these lanes.
            self.others.iter_mut().for_each(|group| group.waits = false);
        }
    }

    /// Joins groups that met, and goes on with the one that is least far.
    fn gather(&mut self) {
        let now = &mut self.now;
        self.others.retain(|group| {
            let met = now.mask != 0 && group.at == now.at;
            now.mask |= if met { group.mask } else { 0 };
            !met
        });
        let ready = self.others.iter().filter(|group| !group.waits);
        let Some(least) = ready.map(|group| group.at).min() else {
            return;
        };
        if self.now.mask == 0 {
            self.now = self.take(least);
        } else if least < self.now.at {
            let next = self.take(least);
            self.others.push(std::mem::replace(&mut self.now, next));
        }
    }

    /// All groups at `at`, as one that runs.
    fn take(&mut self, at: u32) -> Group {
        let mut taken = Group {
            at,
            mask: 0,
            waits: false,
        };
        self.others.retain(|group| {
            taken.mask |= if group.at == at { group.mask } else { 0 };
            group.at != at
        });
        taken
    }

    /// Leaves the operation to be run once more lanes have come.
    fn wait(&mut self) -> Result<()> {
        let waiting = Group {
            waits: true,
            ..self.now
        };
        let ready = self.others.iter().filter(|group| !group.waits);
        let Some(next) = ready.map(|group| group.at).min() else {
            return Err(self.stuck());
        };
        self.now = self.take(next);
        self.others.push(waiting);
        Ok(())
    }

    fn stuck(&self) -> Fault {
        let missing = self.alive & !self.now.mask;
        let why = if missing == 0 {
            "the operation names lanes that cannot come".to_owned()
        } else {
            format!(
                "lanes {:#010x} are here and lanes {missing:#010x} elsewhere for good",
                self.now.mask
            )
        };
        Fault::new(
            Code::LAUNCH_FAILED,
            format!("barrier or warp operation in divergent code: {why}"),
        )
    }

    /// Whether all living lanes that `members` (a register) names are in `mask`.
    pub(super) fn complete(&self, members: Slot, mask: u32) -> Result<bool> {
        let members = &self.single[members as usize];
        let mut named = 0;
        for lane in lanes(mask) {
            if members[lane] >> lane & 1 == 0 {
                return Err(Fault::new(
                    Code::LAUNCH_FAILED,
                    format!(
                        "lane {lane} runs a warp operation that names lanes {:#010x} only",
                        members[lane]
                    ),
                ));
            }
            named |= members[lane];
        }
        Ok(named & self.alive & !mask == 0)
    }

    /// An access of `lane` now.
    pub(super) fn stamp(&self, block: &Block<'_>, lane: usize, line: u32) -> Stamp {
        let thread = self.index * LANES as u32 + lane as u32;
        Stamp::new(block.number, block.epoch, thread, self.epoch, line)
    }

    pub(super) fn get(&self, place: Place, lane: usize) -> u64 {
        match place {
            Place::Single(slot) => u64::from(self.single[slot as usize][lane]),
            Place::Double(slot) => self.double[slot as usize][lane],
        }
    }

    pub(super) fn set(&mut self, place: Place, lane: usize, value: u64) {
        match place {
            Place::Single(slot) => self.single[slot as usize][lane] = value as u32,
            Place::Double(slot) => self.double[slot as usize][lane] = value,
        }
    }

    pub(super) fn set_predicate(&mut self, slot: Slot, mask: u32, bits: u32) {
        let p = &mut self.predicates[slot as usize];
        *p = *p & !mask | bits & mask;
    }
}
