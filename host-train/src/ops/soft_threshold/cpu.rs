//! Soft threshold on the CPU.

use super::SoftThreshold;
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved, Itemwise, Pass};
use crate::ops::{Operator, Saved};

/// -1, 0 or 1: unlike `signum`, zero at zero, which matters once θ is negative.
#[inline(always)]
pub(crate) fn sign(x: f32) -> f32 {
    f32::from(i8::from(x > 0.0) - i8::from(x < 0.0))
}

fn shrink(x: &[f32], theta: f32, out: &mut [f32]) {
    for (o, &x) in out.iter_mut().zip(x) {
        *o = (x.abs() - theta).max(0.0) * sign(x);
    }
}

fn pass_gradient(x: &[f32], theta: f32, dy: &[f32], dx: &mut [f32]) {
    for ((d, &x), &g) in dx.iter_mut().zip(x).zip(dy) {
        *d = if x.abs() > theta { g } else { 0.0 };
    }
}

fn threshold_gradient(x: &[f32], theta: f32, dy: &[f32]) -> f64 {
    -lane_sum(
        x,
        dy,
        |x, g| {
            if x.abs() > theta { g * sign(x) } else { 0.0 }
        },
    )
}

impl Operator<Cpu> for SoftThreshold {
    fn name(&self) -> &'static str {
        "soft_threshold"
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (x, theta) = (inputs[0], inputs[1][0]);
        cpu.for_each_slice(output, |at, out| shrink(&x[at..], theta, out));
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let (x, theta, dy) = (saved.inputs[0], saved.inputs[1][0], saved.grad);
        if let Some(dx) = &mut grads[0] {
            cpu.for_each_slice(dx, |at, dx| pass_gradient(&x[at..], theta, &dy[at..], dx));
        }
        if let Some(dtheta) = &mut grads[1] {
            let part = |from, to| threshold_gradient(&x[from..to], theta, &dy[from..to]);
            dtheta[0] = cpu.sum_slices(self.len, part) as f32;
        }
    }
}

/// A soft threshold inside a graph of one item.
struct Item {
    isa: Isa,
    theta: f32,
}

impl ItemKernel for Item {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        self.isa.run(|| shrink(inputs[0], self.theta, output));
    }

    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], sums: &mut [f32]) {
        let (x, dy) = (saved.inputs[0], saved.grad);
        self.isa.run(|| {
            if let Some(dx) = &mut grads[0] {
                pass_gradient(x, self.theta, dy, dx);
            }
            if let Some(sum) = sums.first_mut() {
                *sum += threshold_gradient(x, self.theta, dy) as f32;
            }
        });
    }

    fn sums_len(&self) -> usize {
        1
    }

    fn finish(&self, sums: &[f32], shared: &mut [Option<&mut [f32]>]) {
        if let Some(dtheta) = &mut shared[0] {
            dtheta[0] += sums[0];
        }
    }
}

impl Itemwise for SoftThreshold {
    fn item_inputs(&self) -> usize {
        1
    }

    fn reads_input(&self, _: usize) -> bool {
        true
    }

    fn prepare<'a>(&self, cpu: &'a Cpu, shared: &[&'a [f32]], _: Pass) -> Box<dyn ItemKernel + 'a> {
        Box::new(Item {
            isa: cpu.isa(),
            theta: shared[0][0],
        })
    }
}

/// Sum of `f(a, b)` in 32 interleaved f32 partial sums per 512 values, then f64: fast, with
/// rounding that does not grow with the length.
pub(crate) fn lane_sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    const LANES: usize = 32;
    let mut total = 0.0f64;
    for (a, b) in a.chunks(512).zip(b.chunks(512)) {
        let mut lanes = [0.0f32; LANES];
        let (aa, bb) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let (ra, rb) = (aa.remainder(), bb.remainder());
        for (a, b) in aa.zip(bb) {
            for l in 0..LANES {
                lanes[l] += f(a[l], b[l]);
            }
        }
        total += lanes.iter().map(|&v| f64::from(v)).sum::<f64>();
        total += ra
            .iter()
            .zip(rb)
            .map(|(&a, &b)| f64::from(f(a, b)))
            .sum::<f64>();
    }
    total
}
