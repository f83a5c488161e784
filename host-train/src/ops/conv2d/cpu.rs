//! Convolution on the CPU: the geometry decides between three algorithms.

use super::direct::Direct;
use super::planes::Planes;
use super::tiles::ByTiles;
use super::{Activation, Conv2d};
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::per_item::kernel::{ItemKernel, Itemwise, Pass};
use crate::ops::{Operator, PerItem, Saved};

/// Adds the bias gradient of `dy (pixels, stride)`; only the first `db.len()` channels count.
pub(super) fn add_bias_gradient(isa: Isa, dy: &[f32], stride: usize, db: &mut [f32]) {
    isa.run(|| {
        for pixel in dy.chunks_exact(stride) {
            for (d, g) in db.iter_mut().zip(pixel) {
                *d += g;
            }
        }
    });
}

/// Adds the sums `db` to the bias's gradient, the second of the shared inputs, if it is wanted.
pub(super) fn finish_bias(db: &[f32], shared: &mut [Option<&mut [f32]>]) {
    if let Some(Some(target)) = shared.get_mut(1) {
        for (t, d) in target.iter_mut().zip(db) {
            *t += d;
        }
    }
}

impl Conv2d {
    pub(super) fn bias_len(&self) -> usize {
        if self.bias { self.out_channels } else { 0 }
    }

    /// Applies the sigmoid, where that is the activation.
    pub(super) fn sigmoid(&self, y: &mut [f32]) {
        if self.activation == Activation::Sigmoid {
            for v in y {
                *v = 1.0 / (1.0 + (-*v).exp());
            }
        }
    }

    /// The same convolution of one map.
    fn of_one(mut self) -> Self {
        self.input.n = 1;
        self
    }

    fn graph(&self) -> PerItem {
        let shared = [self.weights(), self.out_channels];
        let shared = if self.bias { &shared[..] } else { &shared[..1] };
        let item = self.input.item();
        PerItem::single("conv2d", self.input.n, self.of_one(), &[item], shared)
    }
}

impl Itemwise for Conv2d {
    fn item_inputs(&self) -> usize {
        1
    }

    fn reads_input(&self, _: usize) -> bool {
        true
    }

    fn reads_output(&self) -> bool {
        self.activation != Activation::None
    }

    fn is_cheap(&self) -> bool {
        self.input.c == 1
    }

    fn prepare<'a>(
        &self,
        cpu: &'a Cpu,
        shared: &[&'a [f32]],
        pass: Pass,
    ) -> Box<dyn ItemKernel + 'a> {
        let bias = if self.bias { shared[1] } else { &[] };
        if self.divides_into_tiles() {
            Box::new(ByTiles::new(*self, cpu, shared[0], bias, pass))
        } else if self.is_between_plane_and_many() {
            Box::new(Planes::new(*self, cpu.isa(), shared[0], bias))
        } else {
            let backward = pass == Pass::Backward;
            Box::new(Direct::new(*self, cpu.isa(), shared[0], bias, backward))
        }
    }
}

impl Operator<Cpu> for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn multiply_adds(&self) -> u64 {
        (self.input.n * self.input.pixels() * self.weights()) as u64
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        self.graph().forward(cpu, inputs, output);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        self.graph().backward(cpu, saved, grads);
    }
}
