//! Data step on the CPU.

use super::DataStep;
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved, Itemwise, Pass};
use crate::ops::soft_threshold::cpu::lane_sum;
use crate::ops::{Operator, PerItem, Saved};

/// `out = a · b`, all square.
#[inline(always)]
fn product(side: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    for (a, out) in a.chunks_exact(side).zip(out.chunks_exact_mut(side)) {
        out.fill(0.0);
        for (&a, b) in a.iter().zip(b.chunks_exact(side)) {
            for (o, &b) in out.iter_mut().zip(b) {
                *o += a * b;
            }
        }
    }
}

/// `out = g · x · g`.
fn sandwich(isa: Isa, side: usize, g: &[f32], x: &[f32], out: &mut [f32]) {
    with_scratch(side * side, |half| {
        isa.run(|| {
            product(side, g, x, half);
            product(side, half, g, out);
        });
    });
}

/// A data step of one map.
struct Item<'a> {
    isa: Isa,
    side: usize,
    rho: f32,
    gram: &'a [f32],
}

impl Item<'_> {
    /// `-Σ dy · (G H G - B)`.
    fn rho_gradient(&self, h: &[f32], b: &[f32], dy: &[f32]) -> f64 {
        with_scratch(self.side * self.side, |d| {
            sandwich(self.isa, self.side, self.gram, h, d);
            for (d, b) in d.iter_mut().zip(b) {
                *d -= b;
            }
            -lane_sum(d, dy, |d, g| d * g)
        })
    }
}

impl ItemKernel for Item<'_> {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        sandwich(self.isa, self.side, self.gram, inputs[0], output);
        for ((o, h), b) in output.iter_mut().zip(inputs[0]).zip(inputs[1]) {
            *o = h - self.rho * (*o - b);
        }
    }

    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], sums: &mut [f32]) {
        if let Some(dh) = &mut grads[0] {
            sandwich(self.isa, self.side, self.gram, saved.grad, dh);
            for (d, dy) in dh.iter_mut().zip(saved.grad) {
                *d = dy - self.rho * *d;
            }
        }
        if let Some(sum) = sums.first_mut() {
            let gradient = self.rho_gradient(saved.inputs[0], saved.inputs[1], saved.grad);
            *sum += gradient as f32;
        }
    }

    fn sums_len(&self) -> usize {
        1
    }

    fn finish(&self, sums: &[f32], shared: &mut [Option<&mut [f32]>]) {
        if let Some(drho) = &mut shared[0] {
            drho[0] += sums[0];
        }
    }
}

impl Itemwise for DataStep {
    fn item_inputs(&self) -> usize {
        2
    }

    fn reads_input(&self, _: usize) -> bool {
        true
    }

    fn prepare<'a>(&self, cpu: &'a Cpu, shared: &[&'a [f32]], _: Pass) -> Box<dyn ItemKernel + 'a> {
        Box::new(Item {
            isa: cpu.isa(),
            side: self.side,
            rho: shared[0][0],
            gram: shared[1],
        })
    }
}

impl DataStep {
    fn graph(&self) -> PerItem {
        let item = self.side * self.side;
        let one = Self { n: 1, ..*self };
        PerItem::single("data_step", self.n, one, &[item, item], &[1, item])
    }
}

impl Operator<Cpu> for DataStep {
    fn name(&self) -> &'static str {
        "data_step"
    }

    fn output_len(&self) -> usize {
        self.n * self.side * self.side
    }

    fn multiply_adds(&self) -> u64 {
        (2 * self.n * self.side.pow(3)) as u64
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        self.graph().forward(cpu, inputs, output);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        self.graph().backward(cpu, saved, grads);
    }
}
