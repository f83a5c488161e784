//! 3×3 convolutions of many channels on the CPU, by Winograd's tiles.
//!
//! Neither inputs nor gradients are copied into borders: tiles are transformed where they lie, row
//! of tiles by row of tiles, so that a row's values stay in the first-level cache.

use super::{Activation, Conv2d};
use crate::backend::Backend;
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::arch::winograd::{
    GRAIN, POINTS, Products, TILE, Tiles, multiply, multiply_transposed, transform_input,
    transform_kernel, transform_output,
};
use crate::backend::cpu::{Cpu, with_scratch};
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved};

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
    ) -> Vec<f32> {
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

    /// Convolves one map `(h, w, sizes.inputs)` into `y (h, w, channels)`, with as many channels as
    /// its length says; those beyond are dropped.
    #[allow(clippy::too_many_arguments)]
    fn convolve_by_tiles(
        &self,
        isa: Isa,
        sizes: Products,
        x: &[f32],
        kernels: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
        y: &mut [f32],
    ) {
        let (h, w) = (self.input.h, self.input.w);
        let Products {
            tiles,
            inputs,
            outputs,
            ..
        } = sizes;
        let channels = y.len() / (h * w);
        let (v_len, m_len) = (POINTS * tiles * inputs, POINTS * tiles * outputs);
        let row = self.row_of_tiles(outputs);
        with_scratch(v_len, |v| {
            with_scratch(m_len, |m| {
                for (at, y) in y.chunks_exact_mut(TILE * w * channels).enumerate() {
                    transform_input(isa, x, (h, w), inputs, at, v, tiles * inputs);
                    multiply(isa, sizes, v, kernels, m);
                    if channels == outputs {
                        transform_output(isa, m, tiles * outputs, bias, relu, y, row);
                        continue;
                    }
                    with_scratch(TILE * w * outputs, |wide| {
                        transform_output(isa, m, tiles * outputs, bias, relu, wide, row);
                        for (y, wide) in
                            y.chunks_exact_mut(channels).zip(wide.chunks_exact(outputs))
                        {
                            y.copy_from_slice(&wide[..channels]);
                        }
                    });
                }
            });
        });
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

/// A convolution by tiles with its kernels transformed.
pub(super) struct ByTiles<'a> {
    op: Conv2d,
    cpu: &'a Cpu,
    /// `(25, in, padded out)`.
    kernels: Vec<f32>,
    /// Of the mirrored kernels, `(25, padded out, in)`; empty unless there are backward passes.
    transposed: Vec<f32>,
    /// Padded.
    bias: Vec<f32>,
}

impl Drop for ByTiles<'_> {
    fn drop(&mut self) {
        self.cpu.recycle(std::mem::take(&mut self.kernels));
        self.cpu.recycle(std::mem::take(&mut self.transposed));
    }
}

impl<'a> ByTiles<'a> {
    /// Transforms kernels `w (out, c, 3, 3)`; `bias` is empty where there is none.
    pub(super) fn new(op: Conv2d, cpu: &'a Cpu, w: &[f32], bias: &[f32], backward: bool) -> Self {
        let (c, out) = (op.input.c, padded(op.out_channels));
        let kernels = op.kernels(cpu, (c, out), |taps| {
            op.for_each_weight(|tap, c_in, o, at| taps[(tap * c + c_in) * out + o] = w[at]);
        });
        let transposed = if backward {
            op.kernels(cpu, (out, c), |taps| {
                op.for_each_weight(|tap, c_in, o, at| {
                    taps[((TAPS - 1 - tap) * out + o) * c + c_in] = w[at];
                });
            })
        } else {
            Vec::new()
        };
        let mut padded_bias = vec![0.0; out];
        padded_bias[..bias.len()].copy_from_slice(bias);
        Self {
            op,
            cpu,
            kernels,
            transposed,
            bias: padded_bias,
        }
    }

    /// Values in the sums of kernel gradients.
    fn dw_len(&self) -> usize {
        POINTS * self.op.input.c * padded(self.op.out_channels)
    }

    fn add_bias_gradient(&self, dy: &[f32], db: &mut [f32]) {
        self.cpu.isa().run(|| {
            for pixel in dy.chunks_exact(padded(self.op.out_channels)) {
                for (d, g) in db.iter_mut().zip(pixel) {
                    *d += g;
                }
            }
        });
    }

    /// Gradients from that of the sum before the activation, `dy (pixels, padded out)`.
    fn gradients(&self, x: &[f32], dy: &[f32], dx: Option<&mut [f32]>, sums: &mut [f32]) {
        let (op, isa) = (&self.op, self.cpu.isa());
        if let Some(dx) = dx {
            let sizes = Products {
                tiles: op.tiles_per_row(),
                inputs: padded(op.out_channels),
                used: op.out_channels,
                outputs: op.input.c,
            };
            op.convolve_by_tiles(isa, sizes, dy, &self.transposed, None, false, dx);
        }
        if sums.is_empty() {
            return;
        }
        let (dw, db) = sums.split_at_mut(self.dw_len());
        op.add_kernel_gradient(isa, x, dy, dw);
        if op.bias {
            self.add_bias_gradient(dy, db);
        }
    }
}

impl ItemKernel for ByTiles<'_> {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        let (op, isa) = (&self.op, self.cpu.isa());
        let sizes = Products {
            tiles: op.tiles_per_row(),
            inputs: op.input.c,
            used: op.input.c,
            outputs: padded(op.out_channels),
        };
        let relu = op.activation == Activation::Relu;
        let bias = Some(&self.bias[..]);
        op.convolve_by_tiles(isa, sizes, inputs[0], &self.kernels, bias, relu, output);
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
        if let Some(Some(target)) = shared.get_mut(1) {
            for (t, d) in target.iter_mut().zip(db) {
                *t += d;
            }
        }
    }
}
