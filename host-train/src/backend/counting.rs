//! A backend that computes nothing: buffers are lengths, operators only tell their sizes and work.
//!
//! Networks recorded on it cost no memory and no time; what they would cost elsewhere is counted.

use derefnet_core::physics::RATIO;

use super::cpu::Cpu;
use super::{AdamStep, AdamTensor, Backend};
use crate::ops::{Op, Operator, Saved};

/// How a data step counts: by what it is computed with, or by what published figures assume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Two products with the 1-D matrix `G`, as computed here.
    Separable,
    /// Two products, with dense `Φ` and `Φᵀ`.
    Factors,
    /// One product, with dense `ΦᵀΦ`.
    Gram,
}

/// Counts the work of operators.
#[derive(Debug)]
pub struct Counting {
    steps: Steps,
}

impl Counting {
    /// Counts data steps by `steps`.
    pub fn new(steps: Steps) -> Self {
        Self { steps }
    }
}

/// An operator that is never run.
struct Counted {
    operator: Box<dyn Operator<Cpu>>,
    multiply_adds: u64,
}

/// Multiply-adds of `op`.
fn count(op: &Op, steps: Steps) -> u64 {
    match (op, steps) {
        (Op::DataStep(step), Steps::Gram) => (step.n * step.side.pow(4)) as u64,
        (Op::DataStep(step), Steps::Factors) => {
            let (map, frame) = (step.side.pow(2), (step.side / RATIO).pow(2));
            (step.n * 2 * map * frame) as u64
        }
        (Op::PerItem(graph), _) => {
            graph.items() as u64 * graph.ops().map(|op| count(op, steps)).sum::<u64>()
        }
        (op, _) => op.clone().boxed::<Cpu>().multiply_adds(),
    }
}

impl Backend for Counting {
    type Buffer = usize;
    type Pending = Vec<usize>;

    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>> {
        Box::new(Counted {
            multiply_adds: count(&op, self.steps),
            operator: op.boxed(),
        })
    }

    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        work()
    }

    fn in_flight(&self) -> usize {
        1
    }

    fn alloc(&self, len: usize) -> usize {
        len
    }

    fn recycle(&self, _: usize) {}

    fn upload(&self, values: &[f32]) -> usize {
        values.len()
    }

    fn start_download(&self, buffers: &[&usize]) -> Vec<usize> {
        buffers.iter().map(|&&len| len).collect()
    }

    fn finish_download(&self, pending: Vec<usize>) -> Vec<Vec<f32>> {
        pending.into_iter().map(|len| vec![0.0; len]).collect()
    }

    fn accumulate(&self, _: &mut usize, _: &usize) {}

    fn fill(&self, _: &mut usize, _: f32) {}

    fn adam(&self, _: &AdamStep, _: &mut [AdamTensor<'_, Self>]) {}

    fn clip(&self, _: &mut [&mut usize], _: f32) {}

    fn follow(&self, _: &mut [usize], _: &[usize], _: f32) {}

    fn len(&self, buffer: &usize) -> usize {
        *buffer
    }
}

impl Operator<Counting> for Counted {
    fn name(&self) -> &'static str {
        self.operator.name()
    }

    fn output_len(&self) -> usize {
        self.operator.output_len()
    }

    fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    fn kept_len(&self) -> usize {
        self.operator.kept_len()
    }

    fn forward(&self, _: &Counting, _: &[&usize], _: &mut usize) {}

    fn backward(&self, _: &Counting, _: &Saved<'_, Counting>, _: &mut [Option<usize>]) {}
}
