//! 3×3 convolutions of many channels on the CPU, by Winograd's tiles.
//!
//! Neither inputs nor gradients are copied into borders: tiles are transformed where they lie, row
//! of tiles by row of tiles, so that a row's values stay in the first-level cache.

use rayon::prelude::*;

use super::cpu::{add_bias_gradient, finish_bias};
use super::{Activation, Conv2d};
use crate::backend::Backend;
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::arch::products::{Products, multiply, multiply_transposed};
use crate::backend::cpu::arch::winograd::{
    GRAIN, POINTS, TILE, Tiles, transform_input, transform_kernel, transform_output,
};
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved, Pass};

/// Fewest output channels that are worth a padded block.
const WIDE: usize = 8;
/// Values of a kernel.
const TAPS: usize = TILE * TILE;

/// Channels as stored in scratch: padded with zeros.
fn padded(channels: usize) -> usize {
    channels.next_multiple_of(GRAIN)
}

impl Conv2d {
    /// Whether Winograd's tiles cover the map without a rest and pay.
    pub(super) fn divides_into_tiles(&self) -> bool {
        let whole = |side: usize| side.is_multiple_of(TILE);
        self.kernel == TILE
            && whole(self.input.h)
            && whole(self.input.w)
            && self.input.c.is_multiple_of(GRAIN)
            && self.out_channels >= WIDE
    }

    /// One row of tiles of a map of `channels`, 3 rows of `width` pixels.
    fn row_of_tiles(&self, channels: usize) -> Tiles {
        Tiles {
            count: self.input.w / TILE,
            channels,
            step: TILE * channels,
            row: self.input.w * channels,
            pixel: channels,
        }
    }

    fn tiles_per_row(&self) -> usize {
        self.input.w / TILE
    }

    /// Transformed kernels `(25, inputs, outputs)`; `index(input, output, tap)` finds a weight.
    fn kernels(
        &self,
        backend: &Cpu,
        (inputs, outputs): (usize, usize),
        put: impl Fn(&mut [f32]),
    ) -> Buffer {
        let mut taps = backend.alloc(TAPS * inputs * outputs);
        taps.fill(0.0);
        put(&mut taps);
        let plane = inputs * outputs;
        let mut kernels = backend.alloc(POINTS * plane);
        transform_kernel(
            backend.isa(),
            &taps,
            self.planes(plane),
            &mut kernels,
            plane,
        );
        backend.recycle(taps);
        kernels
    }

    /// Kernels as one tile whose channels are all pairs of input and output.
    fn planes(&self, plane: usize) -> Tiles {
        Tiles {
            count: 1,
            channels: plane,
            step: 0,
            row: TILE * plane,
            pixel: plane,
        }
    }

    /// Calls `visit(tap, in, out, position in w)` for every weight.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize, usize, usize)) {
        let mut at = 0;
        for o in 0..self.out_channels {
            for c in 0..self.input.c {
                for tap in 0..TAPS {
                    visit(tap, c, o, at);
                    at += 1;
                }
            }
        }
    }

    /// Writes the gradient of the sum before the activation to `out (pixels, padded channels)`;
    /// `y` is read where there is an activation.
    fn gradient_of_sum(&self, y: &[f32], dy: &[f32], out: &mut [f32]) {
        let (channels, wide) = (self.out_channels, padded(self.out_channels));
        let y = if self.activation == Activation::None {
            dy
        } else {
            y
        };
        let pixels = y.chunks_exact(channels).zip(dy.chunks_exact(channels));
        for (out, (y, dy)) in out.chunks_exact_mut(wide).zip(pixels) {
            let (out, rest) = out.split_at_mut(channels);
            rest.fill(0.0);
            for ((o, &y), &g) in out.iter_mut().zip(y).zip(dy) {
                *o = match self.activation {
                    Activation::None => g,
                    Activation::Relu if y > 0.0 => g,
                    Activation::Relu => 0.0,
                    Activation::Sigmoid => g * y * (1.0 - y),
                };
            }
        }
    }

    /// Adds the kernel's gradient of one map to `dw (25, in, padded out)`.
    fn add_kernel_gradient(&self, isa: Isa, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let (c, out) = (self.input.c, padded(self.out_channels));
        let (h, w, tiles) = (self.input.h, self.input.w, self.tiles_per_row());
        let sizes = Products {
            tiles: tiles * (h / TILE),
            inputs: c,
            used: c,
            outputs: out,
        };
        with_scratch(POINTS * sizes.tiles * c, |v| {
            with_scratch(POINTS * sizes.tiles * out, |d| {
                let (v_point, d_point) = (sizes.tiles * c, sizes.tiles * out);
                for at in 0..h / TILE {
                    let v = &mut v[at * tiles * c..];
                    transform_input(isa, x, (h, w), c, at, v, v_point);
                    let dy = &dy[at * TILE * w * out..];
                    let d = &mut d[at * tiles * out..];
                    transform_kernel(isa, dy, self.row_of_tiles(out), d, d_point);
                }
                multiply_transposed(isa, sizes, v, d, dw);
            });
        });
    }
}

/// A convolution of maps `(h, w, sizes.inputs)` by transformed kernels.
struct Convolution<'a> {
    op: &'a Conv2d,
    isa: Isa,
    sizes: Products,
    kernels: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
}

impl Convolution<'_> {
    /// Convolves `x` into `y (h, w, channels)`, with as many channels as its length says; those
    /// beyond are dropped. `share` lets other workers take rows of tiles.
    fn run(&self, x: &[f32], y: &mut [f32], share: bool) {
        let len = y.len() / (self.op.input.h / TILE);
        if share {
            let rows = y.par_chunks_exact_mut(len).enumerate();
            rows.for_each(|(at, y)| self.row_of_tiles(x, at, y));
        } else {
            for (at, y) in y.chunks_exact_mut(len).enumerate() {
                self.row_of_tiles(x, at, y);
            }
        }
    }

    /// Convolves row `at` of the tiles into its three rows `y (3, w, channels)`.
    fn row_of_tiles(&self, x: &[f32], at: usize, y: &mut [f32]) {
        let Products {
            tiles,
            inputs,
            outputs,
            ..
        } = self.sizes;
        let (isa, op) = (self.isa, self.op);
        let channels = y.len() / (TILE * op.input.w);
        let (v_len, m_len) = (POINTS * tiles * inputs, POINTS * tiles * outputs);
        let row = op.row_of_tiles(outputs);
        with_scratch(v_len + m_len, |scratch| {
            let (v, m) = scratch.split_at_mut(v_len);
            let side = (op.input.h, op.input.w);
            transform_input(isa, x, side, inputs, at, v, tiles * inputs);
            multiply(isa, self.sizes, v, self.kernels, m);
            let finish = |y: &mut [f32]| {
                transform_output(isa, m, tiles * outputs, self.bias, self.relu, y, row);
            };
            if channels == outputs {
                return finish(y);
            }
            with_scratch(TILE * op.input.w * outputs, |wide| {
                finish(wide);
                for (y, wide) in y.chunks_exact_mut(channels).zip(wide.chunks_exact(outputs)) {
                    y.copy_from_slice(&wide[..channels]);
                }
            });
        });
    }
}

/// A convolution by tiles with its kernels transformed.
pub(super) struct ByTiles<'a> {
    op: Conv2d,
    cpu: &'a Cpu,
    /// `(25, in, padded out)`; empty in backward passes.
    kernels: Buffer,
    /// Of the mirrored kernels, `(25, padded out, in)`; empty in forward passes.
    transposed: Buffer,
    /// Padded.
    bias: Vec<f32>,
    pass: Pass,
}

impl Drop for ByTiles<'_> {
    fn drop(&mut self) {
        self.cpu.recycle(std::mem::take(&mut self.kernels));
        self.cpu.recycle(std::mem::take(&mut self.transposed));
    }
}

impl<'a> ByTiles<'a> {
    /// Transforms kernels `w (out, c, 3, 3)`; `bias` is empty where there is none.
    pub(super) fn new(op: Conv2d, cpu: &'a Cpu, w: &[f32], bias: &[f32], pass: Pass) -> Self {
        let (c, out) = (op.input.c, padded(op.out_channels));
        // Too dear to run again, such a convolution needs one direction per pass.
        let (mut kernels, mut transposed) = (Buffer::default(), Buffer::default());
        if pass == Pass::Backward {
            transposed = op.kernels(cpu, (out, c), |taps| {
                op.for_each_weight(|tap, c_in, o, at| {
                    taps[((TAPS - 1 - tap) * out + o) * c + c_in] = w[at];
                });
            });
        } else {
            kernels = op.kernels(cpu, (c, out), |taps| {
                op.for_each_weight(|tap, c_in, o, at| taps[(tap * c + c_in) * out + o] = w[at]);
            });
        }
        let mut padded_bias = vec![0.0; out];
        padded_bias[..bias.len()].copy_from_slice(bias);
        Self {
            op,
            cpu,
            kernels,
            transposed,
            bias: padded_bias,
            pass,
        }
    }

    /// Values in the sums of kernel gradients.
    fn dw_len(&self) -> usize {
        POINTS * self.op.input.c * padded(self.op.out_channels)
    }

    /// Gradients from that of the sum before the activation, `dy (pixels, padded out)`.
    fn gradients(&self, x: &[f32], dy: &[f32], dx: Option<&mut [f32]>, sums: &mut [f32]) {
        let (op, isa) = (&self.op, self.cpu.isa());
        if let Some(dx) = dx {
            let convolution = Convolution {
                op,
                isa,
                sizes: Products {
                    tiles: op.tiles_per_row(),
                    inputs: padded(op.out_channels),
                    used: op.out_channels,
                    outputs: op.input.c,
                },
                kernels: &self.transposed,
                bias: None,
                relu: false,
            };
            convolution.run(dy, dx, false);
        }
        if sums.is_empty() {
            return;
        }
        let (dw, db) = sums.split_at_mut(self.dw_len());
        op.add_kernel_gradient(isa, x, dy, dw);
        if op.bias {
            add_bias_gradient(isa, dy, padded(op.out_channels), db);
        }
    }
}

impl ItemKernel for ByTiles<'_> {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        let op = &self.op;
        let convolution = Convolution {
            op,
            isa: self.cpu.isa(),
            sizes: Products {
                tiles: op.tiles_per_row(),
                inputs: op.input.c,
                used: op.input.c,
                outputs: padded(op.out_channels),
            },
            kernels: &self.kernels,
            bias: Some(&self.bias),
            relu: op.activation == Activation::Relu,
        };
        convolution.run(inputs[0], output, self.pass == Pass::ForwardFew);
        op.sigmoid(output);
    }

    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], sums: &mut [f32]) {
        let (op, x, dx) = (&self.op, saved.inputs[0], grads[0].take());
        let out = padded(op.out_channels);
        if op.activation == Activation::None && out == op.out_channels {
            return self.gradients(x, saved.grad, dx, sums);
        }
        with_scratch(op.input.pixels() * out, |dy| {
            self.cpu
                .isa()
                .run(|| op.gradient_of_sum(saved.output, saved.grad, dy));
            self.gradients(x, dy, dx, sums);
        });
    }

    fn sums_len(&self) -> usize {
        self.dw_len() + self.op.bias_len()
    }

    fn finish(&self, sums: &[f32], shared: &mut [Option<&mut [f32]>]) {
        let (op, isa) = (&self.op, self.cpu.isa());
        let (m, db) = sums.split_at(self.dw_len());
        if let Some(target) = &mut shared[0] {
            let (c, out) = (op.input.c, padded(op.out_channels));
            let plane = c * out;
            with_scratch(TAPS * plane, |taps| {
                transform_output(isa, m, plane, None, false, taps, op.planes(plane));
                op.for_each_weight(|tap, c_in, o, at| {
                    target[at] += taps[(tap * c + c_in) * out + o];
                });
            });
        }
        finish_bias(db, shared);
    }
}
