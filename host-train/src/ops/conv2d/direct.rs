//! Direct convolution on the CPU.
//!
//! Each map is copied into a bordered scratch, so that the kernels know no edges; the copy of the
//! output gradient applies the activation's derivative on the way.

use super::cpu::{add_bias_gradient, finish_bias};
use super::{Activation, Conv2d};
use crate::backend::cpu::arch::{Isa, Rows, Window};
use crate::backend::cpu::packed::{Packed, Packing, SLACK};
use crate::backend::cpu::with_scratch;
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved};

/// Rows per pass of the weight gradient: their inputs and gradients stay in the first-level cache.
const STRIP: usize = 3;

/// A map with a border of zeros.
#[derive(Clone, Copy)]
struct Bordered {
    h: usize,
    w: usize,
    c: usize,
    border: usize,
}

impl Bordered {
    fn row(&self) -> usize {
        (self.w + 2 * self.border) * self.c
    }

    fn len(&self) -> usize {
        (self.h + 2 * self.border) * self.row() + SLACK
    }

    /// First value of pixel `(i, 0)`.
    fn at(&self, i: usize) -> usize {
        (i + self.border) * self.row() + self.border * self.c
    }

    /// How output pixels read this map through a `kernel`-sided kernel.
    fn window(&self, kernel: usize) -> Window {
        Window {
            runs: kernel,
            run_len: kernel * self.c,
            run_stride: self.row(),
            pixel_stride: self.c,
        }
    }

    /// Zeroes the border and fills row `i` of the inside by `fill(i, row)`.
    fn fill(&self, map: &mut [f32], mut fill: impl FnMut(usize, &mut [f32])) {
        let (row, side) = (self.row(), self.border * self.c);
        map[..self.border * row].fill(0.0);
        for i in 0..self.h {
            let line = &mut map[(i + self.border) * row..][..row];
            line[..side].fill(0.0);
            fill(i, &mut line[side..row - side]);
            line[row - side..].fill(0.0);
        }
        map[(self.border + self.h) * row..].fill(0.0);
    }
}

impl Conv2d {
    /// Convolves one bordered map into `out (h, w, channels)`.
    fn convolve(&self, packed: &Packed, map: &[f32], from: &Bordered, relu: bool, out: &mut [f32]) {
        let line = out.len() / from.h;
        for (i, out) in out.chunks_exact_mut(line).enumerate() {
            packed.row(
                from.window(self.kernel),
                &map[i * from.row()..],
                relu,
                out,
                from.w,
            );
        }
    }

    fn border(&self) -> usize {
        (self.kernel - 1) / 2
    }

    fn inputs(&self) -> usize {
        self.kernel * self.kernel * self.input.c
    }

    fn bordered(&self, c: usize) -> Bordered {
        Bordered {
            h: self.input.h,
            w: self.input.w,
            c,
            border: self.border(),
        }
    }

    /// Weight of output `o` for the kernel's read number `k`, which runs (row, column, channel).
    fn weight_index(&self, o: usize, k: usize) -> usize {
        let (tap, c) = (k / self.input.c, k % self.input.c);
        (o * self.input.c + c) * self.kernel * self.kernel + tap
    }

    /// Weight by which output channel `k % out` of mirrored tap `k / out` feeds input `c`.
    fn transposed_index(&self, c: usize, k: usize) -> usize {
        let (tap, o) = (k / self.out_channels, k % self.out_channels);
        let taps = self.kernel * self.kernel;
        (o * self.input.c + c) * taps + (taps - 1 - tap)
    }

    /// Copies map `x` into the bordered scratch.
    fn fill_input(&self, x: &[f32], map: &mut [f32]) {
        let line = self.input.w * self.input.c;
        self.bordered(self.input.c).fill(map, |i, row| {
            row.copy_from_slice(&x[i * line..(i + 1) * line])
        });
    }

    /// Copies the gradient of the sum before the activation into the bordered scratch; `y` is read
    /// where there is an activation.
    fn fill_gradient(&self, y: &[f32], dy: &[f32], map: &mut [f32]) {
        let line = self.input.w * self.out_channels;
        self.bordered(self.out_channels).fill(map, |i, row| {
            let dy = &dy[i * line..(i + 1) * line];
            let y = y.get(i * line..(i + 1) * line).unwrap_or_default();
            match self.activation {
                Activation::None => row.copy_from_slice(dy),
                Activation::Relu => {
                    for ((r, &y), &g) in row.iter_mut().zip(y).zip(dy) {
                        *r = if y > 0.0 { g } else { 0.0 };
                    }
                }
                Activation::Sigmoid => {
                    for ((r, &y), &g) in row.iter_mut().zip(y).zip(dy) {
                        *r = g * y * (1.0 - y);
                    }
                }
            }
        });
    }
}

/// A direct convolution with its kernels packed.
pub(super) struct Direct {
    op: Conv2d,
    isa: Isa,
    packing: Packing,
    forward: Packed,
    /// Mirrored kernels from outputs to inputs, for backward passes.
    transposed: Option<Packed>,
}

impl Direct {
    /// Packs kernels `w (out, c, k, k)`; `bias` is empty where there is none.
    pub(super) fn new(op: Conv2d, isa: Isa, w: &[f32], bias: &[f32], backward: bool) -> Self {
        let packing = Packing::new(isa, op.out_channels, op.inputs());
        let transposed = backward.then(|| {
            let inputs = op.kernel * op.kernel * op.out_channels;
            let packing = Packing::new(isa, op.input.c, inputs);
            Packed::new(packing, &[], |c, k| w[op.transposed_index(c, k)])
        });
        Self {
            op,
            isa,
            forward: Packed::new(packing.clone(), bias, |o, k| w[op.weight_index(o, k)]),
            packing,
            transposed,
        }
    }

    /// Adds the weight gradient of one map to `dw`.
    fn add_weight_gradient(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let op = &self.op;
        let (from, to) = (op.bordered(op.input.c), op.bordered(op.out_channels));
        for first in (0..op.input.h).step_by(STRIP) {
            let rows = Rows {
                rows: STRIP.min(op.input.h - first),
                pixels: op.input.w,
                x_row: from.row(),
                dy_row: to.row(),
                dy_pixel: op.out_channels,
            };
            let (x, dy) = (&x[first * from.row()..], &dy[to.at(first)..]);
            self.packing
                .add_gradient(from.window(op.kernel), x, dy, rows, dw);
        }
    }

    fn add_bias_gradient(&self, dy: &[f32], db: &mut [f32]) {
        let op = &self.op;
        let to = op.bordered(op.out_channels);
        for i in 0..op.input.h {
            let row = &dy[to.at(i)..][..op.input.w * op.out_channels];
            add_bias_gradient(self.isa, row, op.out_channels, db);
        }
    }
}

impl ItemKernel for Direct {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        let op = &self.op;
        let from = op.bordered(op.input.c);
        with_scratch(from.len(), |map| {
            op.fill_input(inputs[0], map);
            let relu = op.activation == Activation::Relu;
            op.convolve(&self.forward, map, &from, relu, output);
        });
        op.sigmoid(output);
    }

    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], sums: &mut [f32]) {
        let op = &self.op;
        let (from, to) = (op.bordered(op.input.c), op.bordered(op.out_channels));
        with_scratch(to.len(), |dy| {
            self.isa
                .run(|| op.fill_gradient(saved.output, saved.grad, dy));
            if let (Some(dx), Some(packed)) = (&mut grads[0], &self.transposed) {
                op.convolve(packed, dy, &to, false, dx);
            }
            if sums.is_empty() {
                return;
            }
            let (dw, db) = sums.split_at_mut(self.packing.len());
            with_scratch(from.len(), |x| {
                op.fill_input(saved.inputs[0], x);
                self.add_weight_gradient(x, dy, dw);
            });
            if op.bias {
                self.add_bias_gradient(dy, db);
            }
        });
    }

    fn sums_len(&self) -> usize {
        self.packing.len() + self.op.bias_len()
    }

    fn finish(&self, sums: &[f32], shared: &mut [Option<&mut [f32]>]) {
        let (dw, db) = sums.split_at(self.packing.len());
        if let Some(target) = &mut shared[0] {
            self.packing
                .unpack(dw, |o, k, v| target[self.op.weight_index(o, k)] += v);
        }
        finish_bias(db, shared);
    }
}
