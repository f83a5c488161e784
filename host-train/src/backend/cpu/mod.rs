//! The CPU backend: vector kernels, one worker per core, recycled buffers.
//!
//! Work is divided by shape, never by the number of workers, and partial sums are added in a
//! fixed order; so results have the same bits for any number of threads.

pub mod arch;
mod awake;
mod buffer;
mod optimiser;
pub(crate) mod packed;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::{AdamStep, AdamTensor, Backend};
use crate::ops::{Op, Operator};
use arch::Isa;
pub use buffer::Buffer;

/// Most parts into which a batch is divided for reductions.
const PARTS: usize = 16;

/// The processor that runs this program.
#[derive(Debug)]
pub struct Cpu {
    isa: Isa,
    pool: Mutex<HashMap<usize, Vec<Buffer>>>,
    allocated: AtomicUsize,
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// The fastest instruction set that this processor has.
    pub fn new() -> Self {
        Self {
            isa: Isa::best(),
            pool: Mutex::default(),
            allocated: AtomicUsize::new(0),
        }
    }

    /// A given instruction set, or `None` where the processor lacks it.
    pub fn with_isa(isa: Isa) -> Option<Self> {
        Isa::available().contains(&isa).then(|| Self {
            isa,
            pool: Mutex::default(),
            allocated: AtomicUsize::new(0),
        })
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Buffers made so far, recycled ones not counted: grows no more once every step is like the
    /// last.
    pub fn allocated(&self) -> usize {
        self.allocated.load(Ordering::Relaxed)
    }

    /// Items per part when a batch of `batch` items is divided for a reduction.
    pub(crate) fn part_len(batch: usize) -> usize {
        batch.div_ceil(PARTS).max(1)
    }
}

impl Backend for Cpu {
    type Buffer = Buffer;
    type Pending = Vec<Vec<f32>>;

    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>> {
        op.boxed()
    }

    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        awake::awake(work)
    }

    fn in_flight(&self) -> usize {
        1
    }

    fn alloc(&self, len: usize) -> Buffer {
        let mut pool = self.pool.lock().unwrap_or_else(|e| e.into_inner());
        let recycled = pool.get_mut(&len).and_then(Vec::pop);
        recycled.unwrap_or_else(|| {
            self.allocated.fetch_add(1, Ordering::Relaxed);
            Buffer::zeros(len)
        })
    }

    fn recycle(&self, buffer: Buffer) {
        let mut pool = self.pool.lock().unwrap_or_else(|e| e.into_inner());
        pool.entry(buffer.len()).or_default().push(buffer);
    }

    fn upload(&self, values: &[f32]) -> Buffer {
        let mut buffer = self.alloc(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    fn start_download(&self, buffers: &[&Buffer]) -> Vec<Vec<f32>> {
        buffers.iter().map(|buffer| buffer.to_vec()).collect()
    }

    fn finish_download(&self, pending: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        pending
    }

    fn accumulate(&self, target: &mut Buffer, addend: &Buffer) {
        self.for_each_slice(target, |at, target| {
            let addend = &addend[at..at + target.len()];
            for (t, a) in target.iter_mut().zip(addend) {
                *t += a;
            }
        });
    }

    fn fill(&self, target: &mut Buffer, value: f32) {
        target.fill(value);
    }

    fn len(&self, buffer: &Buffer) -> usize {
        buffer.len()
    }

    fn adam(&self, step: &AdamStep, tensors: &mut [AdamTensor<'_, Self>]) {
        tensors
            .iter_mut()
            .for_each(|tensor| optimiser::adam(self.isa, step, tensor));
    }

    fn clip(&self, gradients: &mut [&mut Buffer], limit: f32) {
        optimiser::clip(gradients, limit);
    }

    fn follow(&self, averages: &mut [Buffer], values: &[Buffer], kept: f32) {
        optimiser::follow(self.isa, averages, values, kept);
    }
}

/// Values handled by one task of an elementwise operator: fits a second-level cache.
const SLICE: usize = 1 << 16;

impl Cpu {
    /// Runs `body(start, slice)` over consecutive slices of `out`, in parallel and vectorised.
    pub(crate) fn for_each_slice(&self, out: &mut [f32], body: impl Fn(usize, &mut [f32]) + Sync) {
        let isa = self.isa;
        if out.len() <= SLICE {
            isa.run(|| body(0, out));
            return;
        }
        out.par_chunks_mut(SLICE)
            .enumerate()
            .for_each(|(i, slice)| isa.run(|| body(i * SLICE, slice)));
    }

    /// Sum of `body(start, end)` over slices of `0..len`, added in order.
    pub(crate) fn sum_slices(&self, len: usize, body: impl Fn(usize, usize) -> f64 + Sync) -> f64 {
        let isa = self.isa;
        let sums: Vec<f64> = (0..len.div_ceil(SLICE))
            .into_par_iter()
            .map(|i| isa.run(|| body(i * SLICE, len.min((i + 1) * SLICE))))
            .collect();
        sums.iter().sum()
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Lends a per-thread buffer of `len` values with unspecified content.
pub(crate) fn with_scratch<R>(len: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with_borrow_mut(|pool| pool.pop().unwrap_or_default());
    if buffer.len() < len {
        buffer = Buffer::zeros(len);
    }
    let result = body(&mut buffer[..len]);
    SCRATCH.with_borrow_mut(|pool| pool.push(buffer));
    result
}
