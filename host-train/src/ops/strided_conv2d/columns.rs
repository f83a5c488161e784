//! Both directions and the kernel's gradient, as matrix products over columns: per pixel of the
//! small map the `k × k` patch of the large one that it meets.

use super::Stride;
use crate::backend::cpu::arch::{Isa, Rows, Window};
use crate::backend::cpu::packed::{Packed, Packing, SLACK};
use crate::backend::cpu::with_scratch;
use crate::tensor::Shape;

/// A pair of maps and the kernel between them; shapes are those of one item.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) large: Shape,
    pub(super) small: Shape,
    pub(super) by: Stride,
}

/// A row of `inputs` values per pixel as the rows of a matrix product.
fn matrix(inputs: usize) -> Window {
    Window {
        runs: 1,
        run_len: inputs,
        run_stride: 0,
        pixel_stride: inputs,
    }
}

impl Columns {
    /// Values of a column.
    fn depth(&self) -> usize {
        self.by.kernel * self.by.kernel * self.large.c
    }

    /// Place in `w (small, large, k, k)` of the weight between channel `s` of the small map and
    /// value `at = (tap, channel)` of a column.
    fn weight(&self, s: usize, at: usize) -> usize {
        let taps = self.by.kernel * self.by.kernel;
        (s * self.large.c + at % self.large.c) * taps + at / self.large.c
    }

    /// Calls `visit(place in the columns, place in the large map)` for every run of channels of row
    /// `i` that lies inside the large map.
    #[inline(always)]
    fn patches(&self, i: usize, mut visit: impl FnMut(usize, usize)) {
        let Stride {
            kernel,
            stride,
            padding,
        } = self.by;
        let Shape { h, w, c, .. } = self.large;
        for j in 0..self.small.w {
            for tap in 0..kernel * kernel {
                let row = (stride * i + tap / kernel).checked_sub(padding);
                let column = (stride * j + tap % kernel).checked_sub(padding);
                if let (Some(row), Some(column)) = (row, column)
                    && row < h
                    && column < w
                {
                    visit(j * self.depth() + tap * c, (row * w + column) * c);
                }
            }
        }
    }

    fn gather(&self, large: &[f32], i: usize, columns: &mut [f32]) {
        let c = self.large.c;
        columns.fill(0.0);
        self.patches(i, |to, from| {
            columns[to..to + c].copy_from_slice(&large[from..from + c]);
        });
    }

    fn scatter(&self, columns: &[f32], i: usize, large: &mut [f32]) {
        let c = self.large.c;
        self.patches(i, |from, to| {
            for (t, v) in large[to..to + c].iter_mut().zip(&columns[from..from + c]) {
                *t += v;
            }
        });
    }

    /// Kernels from the large map to the small one.
    pub(super) fn pack_down(&self, isa: Isa, w: &[f32], bias: &[f32]) -> Packed {
        let packing = self.packing(isa);
        Packed::new(packing, bias, |s, at| w[self.weight(s, at)])
    }

    /// Kernels from the small map to the large one.
    pub(super) fn pack_up(&self, isa: Isa, w: &[f32]) -> Packed {
        let packing = Packing::new(isa, self.depth(), self.small.c);
        Packed::new(packing, &[], |at, s| w[self.weight(s, at)])
    }

    /// Layout of the kernel's gradient.
    pub(super) fn packing(&self, isa: Isa) -> Packing {
        Packing::new(isa, self.small.c, self.depth())
    }

    /// From the large map to the small one.
    pub(super) fn down(&self, isa: Isa, packed: &Packed, large: &[f32], small: &mut [f32]) {
        let line = self.small.w * self.small.c;
        with_scratch(self.small.w * self.depth(), |columns| {
            for (i, small) in small.chunks_exact_mut(line).enumerate() {
                isa.run(|| self.gather(large, i, columns));
                packed.row(matrix(self.depth()), columns, false, small, self.small.w);
            }
        });
    }

    /// From the small map to the large one, on top of `bias` (none: zero).
    pub(super) fn up(
        &self,
        isa: Isa,
        packed: &Packed,
        bias: &[f32],
        small: &[f32],
        large: &mut [f32],
    ) {
        if bias.is_empty() {
            large.fill(0.0);
        } else {
            let pixels = large.chunks_exact_mut(self.large.c);
            pixels.for_each(|pixel| pixel.copy_from_slice(bias));
        }
        let line = self.small.w * self.small.c;
        with_scratch(self.small.w * self.depth(), |columns| {
            for (i, small) in small.chunks_exact(line).enumerate() {
                packed.row(matrix(self.small.c), small, false, columns, self.small.w);
                isa.run(|| self.scatter(columns, i, large));
            }
        });
    }

    /// Adds the kernel's gradient, laid out as `packing` has it.
    pub(super) fn add_gradient(
        &self,
        isa: Isa,
        packing: &Packing,
        large: &[f32],
        small: &[f32],
        dw: &mut [f32],
    ) {
        let line = self.small.w * self.small.c;
        let rows = Rows {
            rows: 1,
            pixels: self.small.w,
            x_row: 0,
            dy_row: 0,
            dy_pixel: self.small.c,
        };
        with_scratch(self.small.w * self.depth(), |columns| {
            with_scratch(line + SLACK, |padded| {
                padded.fill(0.0);
                for (i, small) in small.chunks_exact(line).enumerate() {
                    isa.run(|| self.gather(large, i, columns));
                    padded[..line].copy_from_slice(small);
                    packing.add_gradient(matrix(self.depth()), columns, padded, rows, dw);
                }
            });
        });
    }

    /// Adds a gradient of `packing`'s layout to `dw (small, large, k, k)`.
    pub(super) fn unpack(&self, packing: &Packing, sums: &[f32], dw: &mut [f32]) {
        packing.unpack(sums, |s, at, v| dw[self.weight(s, at)] = v);
    }
}
