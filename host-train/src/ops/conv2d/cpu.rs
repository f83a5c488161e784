//! Convolution on the CPU.
//!
//! Each map is copied into a bordered scratch, so that the kernels know no edges; the copy of the
//! output gradient applies the activation's derivative on the way.

use rayon::prelude::*;

use super::{Activation, Conv2d};
use crate::backend::Backend;
use crate::backend::cpu::arch::{Isa, Rows, Window};
use crate::backend::cpu::packed::{Packed, Packing, SLACK, sum_parts};
use crate::backend::cpu::{Cpu, with_scratch};
use crate::ops::{Operator, Saved};

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

    /// Copies the gradient of the sum before the activation into the bordered scratch.
    fn fill_gradient(&self, y: &[f32], dy: &[f32], map: &mut [f32]) {
        let line = self.input.w * self.out_channels;
        self.bordered(self.out_channels).fill(map, |i, row| {
            let (y, dy) = (&y[i * line..(i + 1) * line], &dy[i * line..(i + 1) * line]);
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

/// Adds the weight gradient of one map to `dw`.
fn add_weight_gradient(op: &Conv2d, packing: &Packing, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (from, to) = (op.bordered(op.input.c), op.bordered(op.out_channels));
    for first in (0..op.input.h).step_by(STRIP) {
        let rows = Rows {
            rows: STRIP.min(op.input.h - first),
            pixels: op.input.w,
            x_row: from.row(),
            dy_row: to.row(),
            dy_pixel: op.out_channels,
        };
        let x = &x[first * from.row()..];
        packing.add_gradient(from.window(op.kernel), x, &dy[to.at(first)..], rows, dw);
    }
}

fn add_bias_gradient(op: &Conv2d, dy: &[f32], db: &mut [f32]) {
    let to = op.bordered(op.out_channels);
    for i in 0..op.input.h {
        let row = &dy[to.at(i)..][..op.input.w * op.out_channels];
        for pixel in row.chunks_exact(op.out_channels) {
            for (d, g) in db.iter_mut().zip(pixel) {
                *d += g;
            }
        }
    }
}

/// One part of the batch: its input gradients and its partial sums.
struct Part<'a> {
    first: usize,
    dx: Option<&'a mut [f32]>,
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl Conv2d {
    fn backward_part(
        &self,
        isa: Isa,
        saved: &Saved<'_, Cpu>,
        packing: &Packing,
        transposed: Option<&Packed>,
        part: Part<'_>,
        count: usize,
    ) {
        let (from, to) = (
            self.bordered(self.input.c),
            self.bordered(self.out_channels),
        );
        let (x_len, y_len) = (self.input.item(), self.output().item());
        let Part {
            first,
            mut dx,
            dw,
            db,
        } = part;
        with_scratch(from.len(), |x| {
            with_scratch(to.len(), |dy| {
                for item in 0..count {
                    let n = first + item;
                    let y = &saved.output[n * y_len..(n + 1) * y_len];
                    isa.run(|| {
                        self.fill_gradient(y, &saved.grad[n * y_len..(n + 1) * y_len], dy);
                    });
                    if let (Some(dx), Some(packed)) = (&mut dx, transposed) {
                        let dx = &mut dx[item * x_len..(item + 1) * x_len];
                        self.convolve(packed, dy, &to, false, dx);
                    }
                    if !dw.is_empty() {
                        self.fill_input(&saved.inputs[0][n * x_len..(n + 1) * x_len], x);
                        add_weight_gradient(self, packing, x, dy, dw);
                    }
                    if !db.is_empty() {
                        isa.run(|| add_bias_gradient(self, dy, db));
                    }
                }
            });
        });
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

    fn forward(&self, backend: &Cpu, inputs: &[&Vec<f32>], output: &mut Vec<f32>) {
        if self.divides_into_tiles() {
            return self.forward_by_tiles(backend, inputs, output);
        }
        let (isa, w) = (backend.isa(), inputs[1]);
        let packing = Packing::new(isa, self.out_channels, self.inputs());
        let bias = if self.bias { inputs[2].as_slice() } else { &[] };
        let packed = Packed::new(packing, bias, |o, k| w[self.weight_index(o, k)]);
        let (from, x_len) = (self.bordered(self.input.c), self.input.item());
        let relu = self.activation == Activation::Relu;
        output
            .par_chunks_mut(self.output().item())
            .zip(inputs[0].par_chunks(x_len))
            .for_each(|(y, x)| {
                with_scratch(from.len(), |map| {
                    self.fill_input(x, map);
                    self.convolve(&packed, map, &from, relu, y);
                });
                if self.activation == Activation::Sigmoid {
                    for v in y {
                        *v = 1.0 / (1.0 + (-*v).exp());
                    }
                }
            });
    }

    fn backward(&self, backend: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Vec<f32>>]) {
        if self.divides_into_tiles() {
            return self.backward_by_tiles(backend, saved, grads);
        }
        let (isa, w) = (backend.isa(), saved.inputs[1]);
        let (dx, rest) = grads.split_at_mut(1);
        let dx = dx[0].as_mut();
        let (dw, rest) = rest.split_at_mut(1);
        let dw = dw[0].as_mut();
        let db = rest.first_mut().and_then(Option::as_mut);
        let packing = Packing::new(isa, self.out_channels, self.inputs());
        let transposed = dx.is_some().then(|| {
            let inputs = self.kernel * self.kernel * self.out_channels;
            let packing = Packing::new(isa, self.input.c, inputs);
            Packed::new(packing, &[], |c, k| w[self.transposed_index(c, k)])
        });

        let batch = self.input.n;
        let per_part = Cpu::part_len(batch);
        let parts = batch.div_ceil(per_part);
        let dw_len = dw.as_ref().map_or(0, |_| packing.len());
        let db_len = db.as_ref().map_or(0, |d| d.len());
        let mut partial_dw = backend.alloc(parts * dw_len);
        let mut partial_db = backend.alloc(parts * db_len);
        partial_dw.fill(0.0);
        partial_db.fill(0.0);

        let mut dx_parts: Vec<Option<&mut [f32]>> = match dx {
            Some(dx) => dx
                .chunks_mut(per_part * self.input.item())
                .map(Some)
                .collect(),
            None => (0..parts).map(|_| None).collect(),
        };
        let mut dw_parts = partial_dw.chunks_mut(dw_len.max(1));
        let mut db_parts = partial_db.chunks_mut(db_len.max(1));
        let work: Vec<Part> = dx_parts
            .drain(..)
            .enumerate()
            .map(|(i, dx)| Part {
                first: i * per_part,
                dx,
                dw: dw_parts.next().unwrap_or_default(),
                db: db_parts.next().unwrap_or_default(),
            })
            .collect();
        work.into_par_iter().with_max_len(1).for_each(|part| {
            let count = per_part.min(batch - part.first);
            self.backward_part(isa, saved, &packing, transposed.as_ref(), part, count);
        });

        if let Some(dw) = dw {
            sum_parts(&mut partial_dw, dw_len);
            packing.unpack(&partial_dw[..dw_len], |o, k, v| {
                dw[self.weight_index(o, k)] = v;
            });
        }
        if let Some(db) = db {
            sum_parts(&mut partial_db, db_len);
            db.copy_from_slice(&partial_db[..db_len]);
        }
        backend.recycle(partial_dw);
        backend.recycle(partial_db);
    }
}
