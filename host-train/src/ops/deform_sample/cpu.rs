//! Deformable samples on the CPU.

use rayon::prelude::*;

use super::DeformSample;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

const TAPS: usize = 9;

/// A corner of the square around a sample.
#[derive(Clone, Copy)]
struct Corner {
    /// First value of its pixel.
    at: usize,
    /// Its weight, and the slopes of that by row and column.
    weight: f32,
    slope: [f32; 2],
}

impl DeformSample {
    /// Channels of a group.
    fn span(&self) -> usize {
        self.input.c / self.groups
    }

    /// Corners inside the map of tap `k` of pixel `(i, j)` displaced by `offset`.
    fn corners(&self, (i, j, k): (usize, usize, usize), offset: &[f32]) -> [Option<Corner>; 4] {
        let (h, w) = (self.input.h as f32, self.input.w as f32);
        let y = (i + k / 3) as f32 - 1.0 + offset[0];
        let x = (j + k % 3) as f32 - 1.0 + offset[1];
        if !(y > -1.0 && y < h && x > -1.0 && x < w) {
            return [None; 4];
        }
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = (y - top, x - left);
        let sides = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
        sides.map(|(a, b)| {
            let (row, column) = (top + a, left + b);
            let inside = row >= 0.0 && row < h && column >= 0.0 && column < w;
            let share = |side: f32, rest: f32| if side > 0.0 { rest } else { 1.0 - rest };
            let (r, c) = (share(a, down), share(b, right));
            inside.then(|| Corner {
                at: (row as usize * self.input.w + column as usize) * self.input.c,
                weight: r * c,
                slope: [(2.0 * a - 1.0) * c, (2.0 * b - 1.0) * r],
            })
        })
    }

    /// Calls `visit(place of the offset, place of the samples, first channel, corners)` for every
    /// pixel, tap and group.
    #[inline(always)]
    fn samples(
        &self,
        offsets: &[f32],
        mut visit: impl FnMut(usize, usize, usize, [Option<Corner>; 4]),
    ) {
        let (c, span) = (self.input.c, self.span());
        for pixel in 0..self.input.pixels() {
            let (i, j) = (pixel / self.input.w, pixel % self.input.w);
            for k in 0..TAPS {
                for group in 0..self.groups {
                    let offset = (pixel * self.groups + group) * 2 * TAPS + 2 * k;
                    let corners = self.corners((i, j, k), &offsets[offset..offset + 2]);
                    let channel = group * span;
                    visit(offset, (pixel * TAPS + k) * c + channel, channel, corners);
                }
            }
        }
    }

    fn forward_item(&self, x: &[f32], offsets: &[f32], y: &mut [f32]) {
        let span = self.span();
        self.samples(offsets, |_, to, channel, corners| {
            let y = &mut y[to..to + span];
            y.fill(0.0);
            for corner in corners.into_iter().flatten() {
                for (y, x) in y.iter_mut().zip(&x[corner.at + channel..]) {
                    *y += corner.weight * x;
                }
            }
        });
    }

    fn by_map(&self, offsets: &[f32], dy: &[f32], dx: &mut [f32]) {
        let span = self.span();
        dx.fill(0.0);
        self.samples(offsets, |_, from, channel, corners| {
            for corner in corners.into_iter().flatten() {
                let target = &mut dx[corner.at + channel..][..span];
                for (d, g) in target.iter_mut().zip(&dy[from..]) {
                    *d += corner.weight * g;
                }
            }
        });
    }

    fn by_offsets(&self, x: &[f32], offsets: &[f32], dy: &[f32], doffsets: &mut [f32]) {
        let span = self.span();
        self.samples(offsets, |at, from, channel, corners| {
            let mut slope = [0.0; 2];
            for corner in corners.into_iter().flatten() {
                let x = &x[corner.at + channel..][..span];
                let product: f32 = x.iter().zip(&dy[from..]).map(|(x, g)| x * g).sum();
                for (s, by) in slope.iter_mut().zip(corner.slope) {
                    *s += by * product;
                }
            }
            doffsets[at..at + 2].copy_from_slice(&slope);
        });
    }
}

impl Operator<Cpu> for DeformSample {
    fn name(&self) -> &'static str {
        "deform_sample"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let isa = cpu.isa();
        output
            .par_chunks_mut(self.output().item())
            .zip(inputs[0].par_chunks(self.input.item()))
            .zip(inputs[1].par_chunks(self.offsets().item()))
            .for_each(|((y, x), offsets)| isa.run(|| self.forward_item(x, offsets, y)));
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let (isa, x_len) = (cpu.isa(), self.input.item());
        let (y_len, offsets_len) = (self.output().item(), self.offsets().item());
        if let Some(dx) = &mut grads[0] {
            dx.par_chunks_mut(x_len)
                .zip(saved.inputs[1].par_chunks(offsets_len))
                .zip(saved.grad.par_chunks(y_len))
                .for_each(|((dx, offsets), dy)| isa.run(|| self.by_map(offsets, dy, dx)));
        }
        if let Some(doffsets) = &mut grads[1] {
            doffsets
                .par_chunks_mut(offsets_len)
                .zip(saved.inputs[0].par_chunks(x_len))
                .zip(saved.inputs[1].par_chunks(offsets_len))
                .zip(saved.grad.par_chunks(y_len))
                .for_each(|(((d, x), offsets), dy)| {
                    isa.run(|| self.by_offsets(x, offsets, dy, d));
                });
        }
    }
}
