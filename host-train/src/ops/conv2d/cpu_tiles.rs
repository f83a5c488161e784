//! 3×3 convolutions of many channels on the CPU, by Winograd's tiles.
//!
//! Neither inputs nor gradients are copied into borders: tiles are transformed where they lie, row
//! of tiles by row of tiles, so that a row's values stay in the first-level cache.

use rayon::prelude::*;

use super::{Activation, Conv2d};
use crate::backend::Backend;
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::arch::winograd::{
    GRAIN, POINTS, Products, TILE, Tiles, multiply, multiply_transposed, transform_input,
    transform_kernel, transform_output,
};
use crate::backend::cpu::packed::sum_parts;
use crate::backend::cpu::{Cpu, with_scratch};
use crate::ops::Saved;

/// Fewest output channels that are worth a padded block.
const WIDE: usize = 8;
/// Values of a kernel.
const TAPS: usize = TILE * TILE;

/// Channels as stored in scratch: padded with zeros.
fn padded(channels: usize) -> usize {
    channels.next_multiple_of(GRAIN)
}

/// What the gradients of one part of the batch are written to.
struct Part<'a> {
    first: usize,
    dx: Option<&'a mut [f32]>,
    /// `(25, in, padded out)`.
    dw: &'a mut [f32],
    db: &'a mut [f32],
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
        transform_kernel(backend.isa(), &taps, self.planes(plane), &mut kernels, plane);
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

    pub(super) fn forward_by_tiles(
        &self,
        backend: &Cpu,
        inputs: &[&Vec<f32>],
        output: &mut [f32],
    ) {
        let isa = backend.isa();
        let (c, out) = (self.input.c, padded(self.out_channels));
        let kernels = self.kernels(backend, (c, out), |taps| {
            self.for_each_weight(|tap, c_in, o, at| {
                taps[(tap * c + c_in) * out + o] = inputs[1][at];
            });
        });
        let mut bias = vec![0.0; out];
        if self.bias {
            bias[..self.out_channels].copy_from_slice(inputs[2]);
        }
        let relu = self.activation == Activation::Relu;
        let sizes = Products {
            tiles: self.tiles_per_row(),
            inputs: c,
            used: c,
            outputs: out,
        };
        output
            .par_chunks_mut(self.output().item())
            .zip(inputs[0].par_chunks(self.input.item()))
            .for_each(|(y, x)| {
                self.convolve_by_tiles(isa, sizes, x, &kernels, Some(&bias), relu, y);
                if self.activation == Activation::Sigmoid {
                    for v in y {
                        *v = 1.0 / (1.0 + (-*v).exp());
                    }
                }
            });
        backend.recycle(kernels);
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
        let Products { tiles, inputs, outputs, .. } = sizes;
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
                        for (y, wide) in y.chunks_exact_mut(channels).zip(wide.chunks_exact(outputs))
                        {
                            y.copy_from_slice(&wide[..channels]);
                        }
                    });
                }
            });
        });
    }

    /// Writes the gradient of the sum before the activation to `out (pixels, padded channels)`.
    fn gradient_of_sum(&self, y: &[f32], dy: &[f32], out: &mut [f32]) {
        let (channels, wide) = (self.out_channels, padded(self.out_channels));
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

    fn backward_part_by_tiles(
        &self,
        isa: Isa,
        saved: &Saved<'_, Cpu>,
        transposed: &[f32],
        part: Part<'_>,
        count: usize,
    ) {
        let Part { first, mut dx, dw, db } = part;
        let (x_len, y_len) = (self.input.item(), self.output().item());
        let out = padded(self.out_channels);
        let sizes = Products {
            tiles: self.tiles_per_row(),
            inputs: out,
            used: self.out_channels,
            outputs: self.input.c,
        };
        let plain = self.activation == Activation::None && out == self.out_channels;
        with_scratch(self.input.pixels() * out, |scratch| {
            for item in 0..count {
                let n = first + item;
                let dy = &saved.grad[n * y_len..(n + 1) * y_len];
                let dy = if plain {
                    dy
                } else {
                    let y = &saved.output[n * y_len..(n + 1) * y_len];
                    isa.run(|| self.gradient_of_sum(y, dy, scratch));
                    &*scratch
                };
                if let Some(dx) = &mut dx {
                    let dx = &mut dx[item * x_len..(item + 1) * x_len];
                    self.convolve_by_tiles(isa, sizes, dy, transposed, None, false, dx);
                }
                if !dw.is_empty() {
                    let x = &saved.inputs[0][n * x_len..(n + 1) * x_len];
                    self.add_kernel_gradient(isa, x, dy, dw);
                }
                if !db.is_empty() {
                    isa.run(|| {
                        for pixel in dy.chunks_exact(out) {
                            for (d, g) in db.iter_mut().zip(pixel) {
                                *d += g;
                            }
                        }
                    });
                }
            }
        });
    }

    pub(super) fn backward_by_tiles(
        &self,
        backend: &Cpu,
        saved: &Saved<'_, Cpu>,
        grads: &mut [Option<Vec<f32>>],
    ) {
        let (isa, w) = (backend.isa(), saved.inputs[1]);
        let (c, out) = (self.input.c, padded(self.out_channels));
        let (dx, rest) = grads.split_at_mut(1);
        let dx = dx[0].as_mut();
        let (dw, rest) = rest.split_at_mut(1);
        let dw = dw[0].as_mut();
        let db = rest.first_mut().and_then(Option::as_mut);
        let transposed = dx.as_ref().map_or_else(Vec::new, |_| {
            self.kernels(backend, (out, c), |taps| {
                self.for_each_weight(|tap, c_in, o, at| {
                    taps[((TAPS - 1 - tap) * out + o) * c + c_in] = w[at];
                });
            })
        });

        let batch = self.input.n;
        let per_part = Cpu::part_len(batch);
        let parts = batch.div_ceil(per_part);
        let dw_len = dw.as_ref().map_or(0, |_| POINTS * c * out);
        let db_len = db.as_ref().map_or(0, |d| d.len());
        let mut partial_dw = backend.alloc(parts * dw_len);
        let mut partial_db = backend.alloc(parts * db_len);
        partial_dw.fill(0.0);
        partial_db.fill(0.0);

        let mut dx_parts = dx.map(|d| d.chunks_mut(per_part * self.input.item()));
        let mut dw_parts = partial_dw.chunks_mut(dw_len.max(1));
        let mut db_parts = partial_db.chunks_mut(db_len.max(1));
        let work: Vec<Part> = (0..parts)
            .map(|i| Part {
                first: i * per_part,
                dx: dx_parts.as_mut().and_then(Iterator::next),
                dw: dw_parts.next().unwrap_or_default(),
                db: db_parts.next().unwrap_or_default(),
            })
            .collect();
        work.into_par_iter().with_max_len(1).for_each(|part| {
            let count = per_part.min(batch - part.first);
            self.backward_part_by_tiles(isa, saved, &transposed, part, count);
        });

        if let Some(dw) = dw {
            sum_parts(&mut partial_dw, dw_len);
            let plane = c * out;
            let mut taps = backend.alloc(TAPS * plane);
            let m = &partial_dw[..dw_len];
            transform_output(isa, m, plane, None, false, &mut taps, self.planes(plane));
            self.for_each_weight(|tap, c_in, o, at| {
                dw[at] = taps[(tap * c + c_in) * out + o];
            });
            backend.recycle(taps);
        }
        if let Some(db) = db {
            sum_parts(&mut partial_db, db_len);
            db.copy_from_slice(&partial_db[..db_len]);
        }
        backend.recycle(partial_dw);
        backend.recycle(partial_db);
        backend.recycle(transposed);
    }
}
