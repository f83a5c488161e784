//! A grid of blocks, one after another, and the barriers of a block.

use super::lanes;
use super::warp::Warp;
use crate::error::{Code, Fault, Result};
use crate::memory::{Memory, POISON, Range};
use crate::ptx::decode::Program;
use crate::race::Cell;

/// A launch of a program.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// What runs.
    pub program: &'a Program,
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y, z.
    pub block: [u32; 3],
    /// Bytes of shared memory beyond what the program declares.
    pub dynamic: u32,
    /// The arguments' bytes.
    pub params: &'a [u8],
}

/// A block while it runs.
pub struct Block<'a> {
    pub(super) memory: &'a mut Memory,
    pub(super) shared: Vec<u8>,
    pub(super) cells: Vec<Cell>,
    pub(super) params: &'a [u8],
    /// Running number over all launches.
    pub(super) number: u32,
    /// Number of the launch's first block.
    pub(super) first: u32,
    /// Barriers passed.
    pub(super) epoch: u32,
    /// The allocation that was touched last.
    pub(super) recent: Range,
    place: [u32; 3],
    shape: [u32; 3],
    name: &'a str,
}

/// Runs a launch. `numbers` counts the blocks of all launches.
///
/// # Errors
///
/// The first fault of a thread: kernel, block, thread, address and line.
pub fn run(launch: &Launch<'_>, memory: &mut Memory, numbers: &mut u32) -> Result<()> {
    let program = launch.program;
    let bytes = program.shared as usize + launch.dynamic as usize;
    let threads: u32 = launch.block.iter().product();
    let mut warps: Vec<_> = (0..threads.div_ceil(32))
        .map(|index| Warp::new(program, index, launch.block))
        .collect();
    let mut block = Block {
        memory,
        shared: vec![POISON; bytes],
        cells: vec![Cell::default(); bytes.div_ceil(4)],
        params: launch.params,
        number: 0,
        first: *numbers + 1,
        epoch: 0,
        recent: Range { start: 0, size: 0 },
        place: [0; 3],
        shape: launch.block,
        name: &program.name,
    };
    let [x, y, z] = launch.grid;
    for index in 0..u64::from(x) * u64::from(y) * u64::from(z) {
        let (x, y) = (u64::from(x), u64::from(y));
        block.place = [index % x, index / x % y, index / (x * y)].map(|at| at as u32);
        *numbers += 1;
        block.number = *numbers;
        block.epoch = 0;
        block.shared.fill(POISON);
        for warp in &mut warps {
            warp.start(program, block.place, launch.grid);
        }
        block.run(program, &mut warps)?;
    }
    Ok(())
}

impl Block<'_> {
    fn run(&mut self, program: &Program, warps: &mut [Warp]) -> Result<()> {
        loop {
            for warp in warps.iter_mut() {
                warp.run(&program.steps, self)?;
            }
            let Some(first) = warps.iter().find_map(|warp| warp.barrier) else {
                return Ok(());
            };
            self.meet(program, warps, first)?;
            self.epoch += 1;
            warps.iter_mut().for_each(Warp::pass);
        }
    }

    /// Every thread of the block must wait at the same barrier.
    fn meet(&self, program: &Program, warps: &[Warp], first: u32) -> Result<()> {
        let line = |at: u32| program.steps[at as usize].line;
        for warp in warps {
            let gone = warp.all & !warp.alive;
            let why = match warp.barrier {
                Some(at) if at != first => {
                    let (here, there) = (line(at), line(first));
                    format!("one warp waits at PTX line {here}, another at line {there}")
                }
                _ if gone != 0 => {
                    let lane = lanes(gone).next().unwrap_or_default() as u32;
                    let thread = self.thread(warp.index * 32 + lane);
                    let line = line(first);
                    format!("thread {thread} has returned, others wait at PTX line {line}")
                }
                _ => continue,
            };
            let text = format!("barrier in divergent code: {why}");
            return Err(Fault::new(Code::LAUNCH_FAILED, text).at(self.here()));
        }
        Ok(())
    }

    /// The thread of that number, by its coordinates.
    pub(super) fn thread(&self, thread: u32) -> String {
        let [x, y, _] = self.shape;
        let (tx, ty, tz) = (thread % x, thread / x % y, thread / (x * y));
        format!("({tx}, {ty}, {tz})")
    }

    fn here(&self) -> String {
        let (name, [x, y, z]) = (self.name, self.place);
        format!("kernel {name}, block ({x}, {y}, {z})")
    }

    /// A fault with its place in front.
    pub(super) fn told(&self, fault: Fault, warp: &Warp, mask: u32, line: u32) -> Fault {
        let place = self.here();
        if fault.text.starts_with("thread ") {
            return fault.at(format!("{place}, PTX line {line}"));
        }
        let lane = lanes(mask).next().unwrap_or_default() as u32;
        let thread = self.thread(warp.index * 32 + lane);
        fault.at(format!("{place}, PTX line {line}, thread {thread}"))
    }
}
