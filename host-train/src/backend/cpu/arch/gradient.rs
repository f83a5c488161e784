//! Weight gradients of the direct convolution: sums over pixels of products of inputs and output
//! gradients, without atomics and without copies of the inputs.

use super::forward::Window;
use super::vector::Vector;
use super::{Isa, dispatch};

/// Rows of pixels over which a weight gradient is summed; strides in values.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Number of rows.
    pub rows: usize,
    /// Pixels per row.
    pub pixels: usize,
    /// From one input row to the next.
    pub x_row: usize,
    /// From one output-gradient row to the next.
    pub dy_row: usize,
    /// From one output-gradient pixel to the next.
    pub dy_pixel: usize,
}

/// Operands of a weight gradient: `x` as read by the forward kernel, `dy` from the first channel
/// of the block.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a> {
    /// Input values.
    pub x: &'a [f32],
    /// How a pixel reads them.
    pub window: Window,
    /// Output gradient.
    pub dy: &'a [f32],
    /// Pixels to sum over.
    pub rows: Rows,
}

impl Gradient<'_> {
    fn check(&self, width: usize) {
        let Rows {
            rows,
            pixels,
            x_row,
            dy_row,
            dy_pixel,
        } = self.rows;
        assert!(rows > 0 && pixels > 0);
        assert!(
            self.x.len() >= (rows - 1) * x_row + self.window.span(pixels),
            "input too short"
        );
        let dy_span = (rows - 1) * dy_row + (pixels - 1) * dy_pixel + width;
        assert!(self.dy.len() >= dy_span, "output gradient too short");
    }
}

/// Adds `Σ_p x[p, k] · dy[p, c]` to `dw (runs, run_len, width)`; widths as in
/// [`Layer`](super::Layer).
///
/// # Panics
/// If a slice is too short, or the width is not one of those.
pub fn weight_gradient(isa: Isa, operands: &Gradient, width: usize, dw: &mut [f32]) {
    operands.check(width);
    assert!(
        dw.len() >= operands.window.inputs() * width,
        "weight gradient too short"
    );
    let dw = dw.as_mut_ptr();
    match (width, isa) {
        (1, _) => dispatch!(isa, narrow_runs [6] [6] (operands: &Gradient, dw: *mut f32)),
        (16, _) => dispatch!(isa, weight_runs [16, 1] [6, 2] (operands: &Gradient, dw: *mut f32)),
        (32, Isa::Avx512) => {
            dispatch!(isa, weight_runs [8, 2] [3, 4] (operands: &Gradient, dw: *mut f32));
        }
        _ => panic!("a block of {width} channels, expected 1, 16, or 32 with AVX-512"),
    }
}

#[inline(always)]
unsafe fn weight_runs<V: Vector, const L: usize, const N: usize>(g: &Gradient, dw: *mut f32) {
    let width = N * V::LANES;
    if V::LANES == 16 && (g.window.runs, g.window.run_len) == (3, 3) {
        // All nine taps of one channel in one pass over the gradient.
        // SAFETY: `weight_gradient` checked that every run of every pixel lies inside.
        return unsafe { weight_block::<V, 3, 3, N>(g, g.x.as_ptr(), dw) };
    }
    for run in 0..g.window.runs {
        // SAFETY: `weight_gradient` checked that every run of every pixel lies inside.
        unsafe {
            let x = g.x.as_ptr().add(run * g.window.run_stride);
            let dw = dw.add(run * g.window.run_len * width);
            let mut l = 0;
            while l + L <= g.window.run_len {
                weight_block::<V, 1, L, N>(g, x.add(l), dw.add(l * width));
                l += L;
            }
            while l + 3 <= g.window.run_len {
                weight_block::<V, 1, 3, N>(g, x.add(l), dw.add(l * width));
                l += 3;
            }
            while l < g.window.run_len {
                weight_block::<V, 1, 1, N>(g, x.add(l), dw.add(l * width));
                l += 1;
            }
        }
    }
}

/// `R` runs × `L` inputs × `N` registers of channels stay in registers over all pixels.
#[inline(always)]
unsafe fn weight_block<V: Vector, const R: usize, const L: usize, const N: usize>(
    g: &Gradient,
    x: *const f32,
    dw: *mut f32,
) {
    // SAFETY: the caller keeps all addressed values inside the checked slices.
    unsafe {
        let mut acc = [[[V::splat(0.0); N]; L]; R];
        for (l, row) in acc.as_flattened_mut().iter_mut().enumerate() {
            for (n, a) in row.iter_mut().enumerate() {
                *a = V::load(dw.add((l * N + n) * V::LANES));
            }
        }
        for row in 0..g.rows.rows {
            let mut x = x.add(row * g.rows.x_row);
            let mut dy = g.dy.as_ptr().add(row * g.rows.dy_row);
            for _ in 0..g.rows.pixels {
                let mut dv = [V::splat(0.0); N];
                for (n, v) in dv.iter_mut().enumerate() {
                    *v = V::load(dy.add(n * V::LANES));
                }
                for (r, run) in acc.iter_mut().enumerate() {
                    for (l, row) in run.iter_mut().enumerate() {
                        let value = V::splat(*x.add(r * g.window.run_stride + l));
                        for (a, v) in row.iter_mut().zip(dv) {
                            *a = value.mul_add(v, *a);
                        }
                    }
                }
                x = x.add(g.window.pixel_stride);
                dy = dy.add(g.rows.dy_pixel);
            }
        }
        for (l, row) in acc.as_flattened().iter().enumerate() {
            for (n, a) in row.iter().enumerate() {
                a.store(dw.add((l * N + n) * V::LANES));
            }
        }
    }
}

/// One output channel: lanes run along the inputs.
#[inline(always)]
unsafe fn narrow_runs<V: Vector, const L: usize>(g: &Gradient, dw: *mut f32) {
    for run in 0..g.window.runs {
        // SAFETY: `weight_gradient` checked that every run of every pixel lies inside.
        unsafe {
            let x = g.x.as_ptr().add(run * g.window.run_stride);
            let dw = dw.add(run * g.window.run_len);
            let mut l = 0;
            while l + L * V::LANES <= g.window.run_len {
                narrow_block::<V, L>(g, x.add(l), dw.add(l));
                l += L * V::LANES;
            }
            while l + V::LANES <= g.window.run_len {
                narrow_block::<V, 1>(g, x.add(l), dw.add(l));
                l += V::LANES;
            }
            while l < g.window.run_len {
                let mut sum = *dw.add(l);
                for row in 0..g.rows.rows {
                    for p in 0..g.rows.pixels {
                        let dy = *g.dy.as_ptr().add(row * g.rows.dy_row + p * g.rows.dy_pixel);
                        sum += dy * *x.add(row * g.rows.x_row + p * g.window.pixel_stride + l);
                    }
                }
                *dw.add(l) = sum;
                l += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn narrow_block<V: Vector, const L: usize>(g: &Gradient, x: *const f32, dw: *mut f32) {
    // SAFETY: the caller keeps all addressed values inside the checked slices.
    unsafe {
        let mut acc = [V::splat(0.0); L];
        for (l, a) in acc.iter_mut().enumerate() {
            *a = V::load(dw.add(l * V::LANES));
        }
        for row in 0..g.rows.rows {
            let mut x = x.add(row * g.rows.x_row);
            let mut dy = g.dy.as_ptr().add(row * g.rows.dy_row);
            for _ in 0..g.rows.pixels {
                let value = V::splat(*dy);
                for (l, a) in acc.iter_mut().enumerate() {
                    *a = V::load(x.add(l * V::LANES)).mul_add(value, *a);
                }
                x = x.add(g.window.pixel_stride);
                dy = dy.add(g.rows.dy_pixel);
            }
        }
        for (l, a) in acc.iter().enumerate() {
            a.store(dw.add(l * V::LANES));
        }
    }
}
