//! Direct convolution on channel-last maps.
//!
//! With channels last, the inputs that one output pixel reads are `runs` contiguous stretches of
//! `run_len` values (a 3×3 kernel over 32 channels: three stretches of 96), and the next pixel's
//! start `pixel_stride` further on. The same kernels therefore serve any kernel size and stride,
//! 1×1 convolutions and plain matrix products (one run).

use super::vector::Vector;
use super::{Isa, dispatch};

/// How an output pixel reads its inputs; all in values.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Contiguous stretches per pixel: kernel rows.
    pub runs: usize,
    /// Values in one stretch: kernel columns × input channels.
    pub run_len: usize,
    /// From one stretch to the next.
    pub run_stride: usize,
    /// From one output pixel's first value to the next one's.
    pub pixel_stride: usize,
}

impl Window {
    /// Values that one pixel reads.
    pub fn inputs(&self) -> usize {
        self.runs * self.run_len
    }

    /// Length of the input that `pixels` consecutive outputs touch.
    pub(super) fn span(&self, pixels: usize) -> usize {
        (pixels - 1) * self.pixel_stride + (self.runs - 1) * self.run_stride + self.run_len
    }
}

/// One block of output channels of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// How a pixel reads its inputs.
    pub window: Window,
    /// Output channels: 1, 16, or 32 where [`Isa::block_width`] is 32.
    pub width: usize,
    /// Weights `(runs, run_len, width)`.
    pub weights: &'a [f32],
    /// Bias, at least `width` values.
    pub bias: &'a [f32],
    /// Whether outputs are floored at zero.
    pub relu: bool,
}

impl Layer<'_> {
    fn floor(&self) -> f32 {
        if self.relu { 0.0 } else { f32::NEG_INFINITY }
    }
}

/// Computes `pixels` consecutive outputs: `layer.width` values at each multiple of `out_stride`.
///
/// # Panics
/// If a slice is too short for the window, or the width is not one of those of [`Layer`].
pub fn forward(
    isa: Isa,
    layer: &Layer,
    x: &[f32],
    out: &mut [f32],
    out_stride: usize,
    pixels: usize,
) {
    let width = layer.width;
    assert!(
        pixels > 0 && x.len() >= layer.window.span(pixels),
        "input too short"
    );
    assert!(
        layer.weights.len() >= layer.window.inputs() * width,
        "weights too short"
    );
    assert!(layer.bias.len() >= width, "bias too short");
    assert!(
        out.len() >= (pixels - 1) * out_stride + width,
        "output too short"
    );
    let (x, o) = (x.as_ptr(), out.as_mut_ptr());
    match (width, isa) {
        (1, _) => dispatch!(isa, narrow_row [4] [4] (
            layer: &Layer, x: *const f32, o: *mut f32, out_stride: usize, pixels: usize,
        )),
        (16, _) => dispatch!(isa, forward_row [11, 4, 1] [6, 2, 2] (
            layer: &Layer, x: *const f32, o: *mut f32, out_stride: usize, pixels: usize,
        )),
        (32, Isa::Avx512) => dispatch!(isa, forward_row [11, 4, 2] [6, 2, 4] (
            layer: &Layer, x: *const f32, o: *mut f32, out_stride: usize, pixels: usize,
        )),
        _ => panic!("a block of {width} channels, expected 1, 16, or 32 with AVX-512"),
    }
}

/// One row: blocks of `P` pixels, then of `Q`, then single ones.
#[inline(always)]
unsafe fn forward_row<V: Vector, const P: usize, const Q: usize, const N: usize>(
    layer: &Layer,
    x: *const f32,
    out: *mut f32,
    out_stride: usize,
    pixels: usize,
) {
    let stride = layer.window.pixel_stride;
    let mut p = 0;
    // SAFETY: `forward` checked that all `pixels` lie inside the slices.
    unsafe {
        while p + P <= pixels {
            let (x, o) = (x.add(p * stride), out.add(p * out_stride));
            // A stride known at compile time turns every broadcast into one addressed load.
            match stride {
                32 => forward_block::<V, P, N, 32>(layer, x, o, out_stride),
                16 => forward_block::<V, P, N, 16>(layer, x, o, out_stride),
                288 => forward_block::<V, P, N, 288>(layer, x, o, out_stride),
                _ => forward_block::<V, P, N, 0>(layer, x, o, out_stride),
            }
            p += P;
        }
        while p + Q <= pixels {
            let (x, o) = (x.add(p * stride), out.add(p * out_stride));
            forward_block::<V, Q, N, 0>(layer, x, o, out_stride);
            p += Q;
        }
        while p < pixels {
            let (x, o) = (x.add(p * stride), out.add(p * out_stride));
            forward_block::<V, 1, N, 0>(layer, x, o, out_stride);
            p += 1;
        }
    }
}

/// `P` pixels × `N` registers of channels stay in registers over the whole window.
#[inline(always)]
unsafe fn forward_block<V: Vector, const P: usize, const N: usize, const S: usize>(
    layer: &Layer,
    x: *const f32,
    out: *mut f32,
    out_stride: usize,
) {
    let window = &layer.window;
    let stride = if S == 0 { window.pixel_stride } else { S };
    // SAFETY: the caller keeps all addressed values inside the slices that `forward` checked.
    unsafe {
        let mut acc = [[V::splat(0.0); N]; P];
        for row in &mut acc {
            for (n, a) in row.iter_mut().enumerate() {
                *a = V::load(layer.bias.as_ptr().add(n * V::LANES));
            }
        }
        let mut w = layer.weights.as_ptr();
        for run in 0..window.runs {
            let mut x = x.add(run * window.run_stride);
            let mut sums = [[V::splat(0.0); N]; P];
            for _ in 0..window.run_len {
                let mut wv = [V::splat(0.0); N];
                for (n, v) in wv.iter_mut().enumerate() {
                    *v = V::load(w.add(n * V::LANES));
                }
                for (p, row) in sums.iter_mut().enumerate() {
                    let value = V::splat(*x.add(p * stride));
                    for (a, v) in row.iter_mut().zip(wv) {
                        *a = value.mul_add(v, *a);
                    }
                }
                x = x.add(1);
                w = w.add(N * V::LANES);
            }
            // Adding up stretch by stretch keeps the rounding of long sums small.
            for (row, sums) in acc.iter_mut().zip(&sums) {
                for (total, sum) in row.iter_mut().zip(sums) {
                    *total = sum.add(*total);
                }
            }
        }
        let floor = V::splat(layer.floor());
        for (p, row) in acc.iter().enumerate() {
            for (n, a) in row.iter().enumerate() {
                floor.max(*a).store(out.add(p * out_stride + n * V::LANES));
            }
        }
    }
}

/// `max(floor, value)` that lets NaN through, as a failing run must show.
#[inline(always)]
fn at_least(value: f32, floor: f32) -> f32 {
    if value < floor { floor } else { value }
}

/// One output channel: lanes run along the inputs instead of the outputs.
#[inline(always)]
unsafe fn narrow_row<V: Vector, const P: usize>(
    layer: &Layer,
    x: *const f32,
    out: *mut f32,
    out_stride: usize,
    pixels: usize,
) {
    let (stride, bias, floor) = (layer.window.pixel_stride, layer.bias[0], layer.floor());
    let mut p = 0;
    // SAFETY: `forward` checked that all `pixels` lie inside the slices.
    unsafe {
        while p + P <= pixels {
            let sums = dots::<V, P>(x.add(p * stride), layer);
            for (q, sum) in sums.iter().enumerate() {
                *out.add((p + q) * out_stride) = at_least(sum + bias, floor);
            }
            p += P;
        }
        while p < pixels {
            let [sum] = dots::<V, 1>(x.add(p * stride), layer);
            *out.add(p * out_stride) = at_least(sum + bias, floor);
            p += 1;
        }
    }
}

/// Dot products of `P` consecutive windows with the same weights.
#[inline(always)]
unsafe fn dots<V: Vector, const P: usize>(x: *const f32, layer: &Layer) -> [f32; P] {
    let (window, w) = (&layer.window, layer.weights.as_ptr());
    let whole = window.run_len / V::LANES * V::LANES;
    // SAFETY: the caller keeps all addressed values inside the checked slices.
    unsafe {
        let mut acc = [V::splat(0.0); P];
        let mut rest = [0.0f32; P];
        for run in 0..window.runs {
            let x = x.add(run * window.run_stride);
            let w = w.add(run * window.run_len);
            let mut l = 0;
            while l < whole {
                let weight = V::load(w.add(l));
                for (p, a) in acc.iter_mut().enumerate() {
                    *a = V::load(x.add(p * window.pixel_stride + l)).mul_add(weight, *a);
                }
                l += V::LANES;
            }
            while l < window.run_len {
                for (p, r) in rest.iter_mut().enumerate() {
                    *r += *x.add(p * window.pixel_stride + l) * *w.add(l);
                }
                l += 1;
            }
        }
        std::array::from_fn(|p| acc[p].sum() + rest[p])
    }
}
