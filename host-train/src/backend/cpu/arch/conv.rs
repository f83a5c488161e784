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
    fn span(&self, pixels: usize) -> usize {
        (pixels - 1) * self.pixel_stride + (self.runs - 1) * self.run_stride + self.run_len
    }
}

/// Computes `pixels` consecutive outputs of `width` channels.
///
/// `weights` is `(runs, run_len, width)`, `bias` is `(width)`; outputs go to
/// `out[p * out_stride ..][..width]`, floored at zero where `relu`. `width` is 16, or 32 where
/// [`Isa::block_width`] is 32.
///
/// # Panics
/// If a slice is too short for the window, or `width` is not one of the above.
#[allow(clippy::too_many_arguments)]
pub fn forward(
    isa: Isa,
    x: &[f32],
    window: &Window,
    weights: &[f32],
    bias: &[f32],
    width: usize,
    out: &mut [f32],
    out_stride: usize,
    pixels: usize,
    relu: bool,
) {
    assert!(
        pixels > 0 && x.len() >= window.span(pixels),
        "input too short"
    );
    assert!(weights.len() >= window.inputs() * width && bias.len() >= width);
    assert!(
        out.len() >= (pixels - 1) * out_stride + width,
        "output too short"
    );
    assert!(
        width == 16 || width == 32 && isa == Isa::Avx512,
        "width {width}"
    );
    let (x, w, b, o) = (
        x.as_ptr(),
        weights.as_ptr(),
        bias.as_ptr(),
        out.as_mut_ptr(),
    );
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    if width == 32 {
        dispatch!(isa, forward_row [11, 4, 2] [6, 2, 4] (
            x: *const f32, window: &Window, w: *const f32, b: *const f32, o: *mut f32,
            out_stride: usize, pixels: usize, floor: f32,
        ));
    } else {
        dispatch!(isa, forward_row [22, 11, 1] [6, 2, 2] (
            x: *const f32, window: &Window, w: *const f32, b: *const f32, o: *mut f32,
            out_stride: usize, pixels: usize, floor: f32,
        ));
    }
}

/// One row: blocks of `P` pixels, then of `Q`, then single ones.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn forward_row<V: Vector, const P: usize, const Q: usize, const N: usize>(
    x: *const f32,
    window: &Window,
    w: *const f32,
    b: *const f32,
    out: *mut f32,
    out_stride: usize,
    pixels: usize,
    floor: f32,
) {
    let mut p = 0;
    // SAFETY: `forward` checked that all `pixels` lie inside the slices.
    unsafe {
        while p + P <= pixels {
            let (x, o) = (x.add(p * window.pixel_stride), out.add(p * out_stride));
            // A stride known at compile time turns every broadcast into one addressed load.
            match window.pixel_stride {
                32 => forward_block::<V, P, N, 32>(x, window, w, b, o, out_stride, floor),
                16 => forward_block::<V, P, N, 16>(x, window, w, b, o, out_stride, floor),
                288 => forward_block::<V, P, N, 288>(x, window, w, b, o, out_stride, floor),
                _ => forward_block::<V, P, N, 0>(x, window, w, b, o, out_stride, floor),
            }
            p += P;
        }
        while p + Q <= pixels {
            let (x, o) = (x.add(p * window.pixel_stride), out.add(p * out_stride));
            forward_block::<V, Q, N, 0>(x, window, w, b, o, out_stride, floor);
            p += Q;
        }
        while p < pixels {
            let (x, o) = (x.add(p * window.pixel_stride), out.add(p * out_stride));
            forward_block::<V, 1, N, 0>(x, window, w, b, o, out_stride, floor);
            p += 1;
        }
    }
}

/// `P` pixels × `N` registers of channels stay in registers over the whole window.
#[inline(always)]
unsafe fn forward_block<V: Vector, const P: usize, const N: usize, const S: usize>(
    x: *const f32,
    window: &Window,
    w: *const f32,
    b: *const f32,
    out: *mut f32,
    out_stride: usize,
    floor: f32,
) {
    let stride = if S == 0 { window.pixel_stride } else { S };
    // SAFETY: the caller keeps all addressed values inside the slices that `forward` checked.
    unsafe {
        let mut acc = [[V::splat(0.0); N]; P];
        for row in &mut acc {
            for (n, a) in row.iter_mut().enumerate() {
                *a = V::load(b.add(n * V::LANES));
            }
        }
        let mut w = w;
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
        let floor = V::splat(floor);
        for (p, row) in acc.iter().enumerate() {
            for (n, a) in row.iter().enumerate() {
                a.max(floor).store(out.add(p * out_stride + n * V::LANES));
            }
        }
    }
}

/// Computes `pixels` consecutive outputs of one channel; `weights` is `(runs, run_len)`.
///
/// For few output channels: lanes run along the inputs instead of the outputs.
///
/// # Panics
/// If a slice is too short for the window.
#[allow(clippy::too_many_arguments)]
pub fn forward_narrow(
    isa: Isa,
    x: &[f32],
    window: &Window,
    weights: &[f32],
    bias: f32,
    out: &mut [f32],
    out_stride: usize,
    pixels: usize,
    relu: bool,
) {
    assert!(
        pixels > 0 && x.len() >= window.span(pixels),
        "input too short"
    );
    assert!(weights.len() >= window.inputs());
    assert!(out.len() > (pixels - 1) * out_stride, "output too short");
    let (x, w, o) = (x.as_ptr(), weights.as_ptr(), out.as_mut_ptr());
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    dispatch!(isa, narrow_row [4] [4] (
        x: *const f32, window: &Window, w: *const f32, bias: f32, o: *mut f32,
        out_stride: usize, pixels: usize, floor: f32,
    ));
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn narrow_row<V: Vector, const P: usize>(
    x: *const f32,
    window: &Window,
    w: *const f32,
    bias: f32,
    out: *mut f32,
    out_stride: usize,
    pixels: usize,
    floor: f32,
) {
    let mut p = 0;
    // SAFETY: `forward_narrow` checked that all `pixels` lie inside the slices.
    unsafe {
        while p + P <= pixels {
            let sums = dots::<V, P>(x.add(p * window.pixel_stride), window, w);
            for (q, sum) in sums.iter().enumerate() {
                *out.add((p + q) * out_stride) = (sum + bias).max(floor);
            }
            p += P;
        }
        while p < pixels {
            let [sum] = dots::<V, 1>(x.add(p * window.pixel_stride), window, w);
            *out.add(p * out_stride) = (sum + bias).max(floor);
            p += 1;
        }
    }
}

/// Dot products of `P` consecutive windows with the same weights.
#[inline(always)]
unsafe fn dots<V: Vector, const P: usize>(
    x: *const f32,
    window: &Window,
    w: *const f32,
) -> [f32; P] {
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

/// Adds `Σ_p x[p, k] · dy[p, c]` to `dw (runs, run_len, width)`; `width` as in [`forward`].
///
/// # Panics
/// If a slice is too short, or `width` is not one of those of [`forward`].
pub fn weight_gradient(isa: Isa, operands: &Gradient, width: usize, dw: &mut [f32]) {
    operands.check(width);
    assert!(dw.len() >= operands.window.inputs() * width);
    assert!(
        width == 16 || width == 32 && isa == Isa::Avx512,
        "width {width}"
    );
    let dw = dw.as_mut_ptr();
    if width == 32 {
        dispatch!(isa, weight_runs [8, 2] [3, 4] (operands: &Gradient, dw: *mut f32));
    } else {
        dispatch!(isa, weight_runs [16, 1] [6, 2] (operands: &Gradient, dw: *mut f32));
    }
}

#[inline(always)]
unsafe fn weight_runs<V: Vector, const L: usize, const N: usize>(g: &Gradient, dw: *mut f32) {
    let width = N * V::LANES;
    for run in 0..g.window.runs {
        // SAFETY: `weight_gradient` checked that every run of every pixel lies inside.
        unsafe {
            let x = g.x.as_ptr().add(run * g.window.run_stride);
            let dw = dw.add(run * g.window.run_len * width);
            let mut l = 0;
            while l + L <= g.window.run_len {
                weight_block::<V, L, N>(g, x.add(l), dw.add(l * width));
                l += L;
            }
            while l < g.window.run_len {
                weight_block::<V, 1, N>(g, x.add(l), dw.add(l * width));
                l += 1;
            }
        }
    }
}

/// `L` inputs × `N` registers of channels stay in registers over all pixels.
#[inline(always)]
unsafe fn weight_block<V: Vector, const L: usize, const N: usize>(
    g: &Gradient,
    x: *const f32,
    dw: *mut f32,
) {
    // SAFETY: the caller keeps all addressed values inside the checked slices.
    unsafe {
        let mut acc = [[V::splat(0.0); N]; L];
        for (l, row) in acc.iter_mut().enumerate() {
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
                for (l, row) in acc.iter_mut().enumerate() {
                    let value = V::splat(*x.add(l));
                    for (a, v) in row.iter_mut().zip(dv) {
                        *a = value.mul_add(v, *a);
                    }
                }
                x = x.add(g.window.pixel_stride);
                dy = dy.add(g.rows.dy_pixel);
            }
        }
        for (l, row) in acc.iter().enumerate() {
            for (n, a) in row.iter().enumerate() {
                a.store(dw.add((l * N + n) * V::LANES));
            }
        }
    }
}

/// Adds `Σ_p x[p, k] · dy[p]` of one output channel to `dw (runs, run_len)`.
///
/// # Panics
/// If a slice is too short.
pub fn weight_narrow(isa: Isa, operands: &Gradient, dw: &mut [f32]) {
    operands.check(1);
    assert!(dw.len() >= operands.window.inputs());
    let dw = dw.as_mut_ptr();
    dispatch!(isa, weight_narrow_runs [6] [6] (operands: &Gradient, dw: *mut f32));
}

#[inline(always)]
unsafe fn weight_narrow_runs<V: Vector, const L: usize>(g: &Gradient, dw: *mut f32) {
    for run in 0..g.window.runs {
        // SAFETY: `weight_narrow` checked that every run of every pixel lies inside.
        unsafe {
            let x = g.x.as_ptr().add(run * g.window.run_stride);
            let dw = dw.add(run * g.window.run_len);
            let mut l = 0;
            while l + L * V::LANES <= g.window.run_len {
                weight_narrow_block::<V, L>(g, x.add(l), dw.add(l));
                l += L * V::LANES;
            }
            while l + V::LANES <= g.window.run_len {
                weight_narrow_block::<V, 1>(g, x.add(l), dw.add(l));
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
unsafe fn weight_narrow_block<V: Vector, const L: usize>(
    g: &Gradient,
    x: *const f32,
    dw: *mut f32,
) {
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
