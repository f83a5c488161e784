//! A backend that computes nothing: buffers are lengths, operators only tell their sizes and work.
//!
//! Networks recorded on it cost no memory and no time; what they would cost elsewhere is counted.

use derefnet_core::physics::RATIO;

use super::Backend;
use super::cpu::Cpu;
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
#[derive(Clone, Copy, Debug)]
pub struct Counting {
    /// What data steps count.
    pub steps: Steps,
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

    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>> {
        let multiply_adds = count(&op, self.steps);
        Box::new(Counted {
            operator: op.boxed(),
            multiply_adds,
        })
    }

    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        work()
    }

    fn alloc(&self, len: usize) -> usize {
        len
    }

    fn recycle(&self, _: usize) {}

    fn upload(&self, values: &[f32]) -> usize {
        values.len()
    }

    fn download(&self, buffer: &usize) -> Vec<f32> {
        vec![0.0; *buffer]
    }

    fn accumulate(&self, _: &mut usize, _: &usize) {}

    fn fill(&self, _: &mut usize, _: f32) {}

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
