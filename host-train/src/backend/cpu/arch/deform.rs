//! Bilinear sampling of channel-last maps at free positions, and its adjoint.

use super::vector::Vector;
use super::{Isa, dispatch};

/// One bilinear sample of a map with a border of zeros.
///
/// The four neighbours are the top-left one and those one pixel right, down, and both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tap {
    /// First value of the top-left neighbour; meaningless outside.
    pub index: u32,
    /// Whether the sample lies on the map at all; it is zero otherwise.
    pub inside: bool,
    /// Distance below the top-left neighbour, 0..1.
    pub row: f32,
    /// Distance right of the top-left neighbour, 0..1.
    pub column: f32,
}

impl Tap {
    #[inline(always)]
    fn weights(&self) -> [f32; 4] {
        let (r, c) = (self.row, self.column);
        [(1.0 - r) * (1.0 - c), (1.0 - r) * c, r * (1.0 - c), r * c]
    }

    fn check(taps: &[Self], map: usize, channels: usize, row_stride: usize) {
        let reach = row_stride + 2 * channels;
        let last = taps.iter().filter(|t| t.inside).map(|t| t.index).max();
        if let Some(last) = last {
            assert!(last as usize + reach <= map, "tap outside the map");
        }
    }
}

/// Writes the samples of `taps` to `out (taps, channels)`.
///
/// `x` is a bordered map `(rows, row_stride / channels, channels)`.
///
/// # Panics
/// If a tap or the output lies outside its slice.
pub fn sample(
    isa: Isa,
    x: &[f32],
    channels: usize,
    row_stride: usize,
    taps: &[Tap],
    out: &mut [f32],
) {
    Tap::check(taps, x.len(), channels, row_stride);
    assert!(out.len() >= taps.len() * channels);
    let (x, out) = (x.as_ptr(), out.as_mut_ptr());
    match (isa, channels) {
        (Isa::Avx512, 32) => dispatch!(isa, sample_all [2] [4] (
            x: *const f32, channels: usize, row_stride: usize, taps: &[Tap], out: *mut f32)),
        (Isa::Avx512, 16) => dispatch!(isa, sample_all [1] [2] (
            x: *const f32, channels: usize, row_stride: usize, taps: &[Tap], out: *mut f32)),
        (Isa::Avx2, 32) => dispatch!(isa, sample_all [2] [4] (
            x: *const f32, channels: usize, row_stride: usize, taps: &[Tap], out: *mut f32)),
        (Isa::Avx2, 16) => dispatch!(isa, sample_all [1] [2] (
            x: *const f32, channels: usize, row_stride: usize, taps: &[Tap], out: *mut f32)),
        // SAFETY: lengths were checked above.
        _ => unsafe { sample_any(x, channels, row_stride, taps, out) },
    }
}

#[inline(always)]
unsafe fn sample_all<V: Vector, const N: usize>(
    x: *const f32,
    channels: usize,
    row_stride: usize,
    taps: &[Tap],
    out: *mut f32,
) {
    for (t, tap) in taps.iter().enumerate() {
        // SAFETY: `sample` checked all taps and the output; N registers hold `channels` values.
        unsafe {
            let out = out.add(t * channels);
            let weights = tap.weights().map(|w| V::splat(w));
            for n in 0..N {
                let mut value = V::splat(0.0);
                if tap.inside {
                    let x = x.add(tap.index as usize + n * V::LANES);
                    value = V::load(x).mul(weights[0]);
                    value = V::load(x.add(channels)).mul_add(weights[1], value);
                    value = V::load(x.add(row_stride)).mul_add(weights[2], value);
                    value = V::load(x.add(row_stride + channels)).mul_add(weights[3], value);
                }
                value.store(out.add(n * V::LANES));
            }
        }
    }
}

unsafe fn sample_any(
    x: *const f32,
    channels: usize,
    row_stride: usize,
    taps: &[Tap],
    out: *mut f32,
) {
    for (t, tap) in taps.iter().enumerate() {
        let [a, b, c, d] = tap.weights();
        for channel in 0..channels {
            // SAFETY: `sample` checked all taps and the output.
            unsafe {
                let x = x.add(tap.index as usize * usize::from(tap.inside) + channel);
                let value = a * *x
                    + b * *x.add(channels)
                    + c * *x.add(row_stride)
                    + d * *x.add(row_stride + channels);
                *out.add(t * channels + channel) = if tap.inside { value } else { 0.0 };
            }
        }
    }
}

/// Adjoint of [`sample`]: adds to `dx` (bordered like `x`), writes the samples themselves to
/// `col` and the gradients of the tap positions `(taps, [row, column])` to `dposition`.
///
/// # Panics
/// If a tap or an output lies outside its slice.
#[allow(clippy::too_many_arguments)]
pub fn sample_backward(
    isa: Isa,
    x: &[f32],
    channels: usize,
    row_stride: usize,
    taps: &[Tap],
    dcol: &[f32],
    dx: &mut [f32],
    col: &mut [f32],
    dposition: &mut [[f32; 2]],
) {
    Tap::check(taps, x.len().min(dx.len()), channels, row_stride);
    assert!(x.len() >= row_stride + 2 * channels);
    assert!(dcol.len() >= taps.len() * channels && col.len() >= taps.len() * channels);
    assert!(dposition.len() >= taps.len());
    let io = Adjoint {
        x: x.as_ptr(),
        dcol: dcol.as_ptr(),
        dx: dx.as_mut_ptr(),
        col: col.as_mut_ptr(),
        channels,
        row_stride,
    };
    let (io, dp) = (&io, dposition);
    match (isa, channels) {
        (Isa::Avx512, 32) => dispatch!(isa, adjoint_all [2] [4] (
            io: &Adjoint, taps: &[Tap], dp: &mut [[f32; 2]])),
        (Isa::Avx512, 16) => dispatch!(isa, adjoint_all [1] [2] (
            io: &Adjoint, taps: &[Tap], dp: &mut [[f32; 2]])),
        (Isa::Avx2, 32) => dispatch!(isa, adjoint_all [2] [4] (
            io: &Adjoint, taps: &[Tap], dp: &mut [[f32; 2]])),
        (Isa::Avx2, 16) => dispatch!(isa, adjoint_all [1] [2] (
            io: &Adjoint, taps: &[Tap], dp: &mut [[f32; 2]])),
        // SAFETY: lengths were checked above.
        _ => unsafe { adjoint_any(io, taps, dp) },
    }
}

struct Adjoint {
    x: *const f32,
    dcol: *const f32,
    dx: *mut f32,
    col: *mut f32,
    channels: usize,
    row_stride: usize,
}

impl Adjoint {
    /// Offsets of the four neighbours from the first one.
    #[inline(always)]
    fn corners(&self) -> [usize; 4] {
        [
            0,
            self.channels,
            self.row_stride,
            self.row_stride + self.channels,
        ]
    }
}

/// Gradient of a sample's position from the products of its four neighbours with the gradient.
#[inline(always)]
fn position_gradient(tap: &Tap, g: [f32; 4]) -> [f32; 2] {
    [
        (1.0 - tap.column) * (g[2] - g[0]) + tap.column * (g[3] - g[1]),
        (1.0 - tap.row) * (g[1] - g[0]) + tap.row * (g[3] - g[2]),
    ]
}

#[inline(always)]
unsafe fn adjoint_all<V: Vector, const N: usize>(io: &Adjoint, taps: &[Tap], dp: &mut [[f32; 2]]) {
    for (t, (tap, dp)) in taps.iter().zip(dp).enumerate() {
        // SAFETY: `sample_backward` checked all taps and outputs; N registers hold `channels`.
        unsafe {
            let col = io.col.add(t * io.channels);
            if !tap.inside {
                for n in 0..N {
                    V::splat(0.0).store(col.add(n * V::LANES));
                }
                *dp = [0.0; 2];
                continue;
            }
            let dcol = io.dcol.add(t * io.channels);
            let weights = tap.weights().map(|w| V::splat(w));
            let (down, right) = (V::splat(tap.row), V::splat(tap.column));
            let (mut by_row, mut by_column) = (V::splat(0.0), V::splat(0.0));
            for n in 0..N {
                let lane = n * V::LANES;
                let at = |corner: usize| tap.index as usize + io.corners()[corner] + lane;
                let read = |corner: usize| V::load(io.x.add(at(corner)));
                let x = [read(0), read(1), read(2), read(3)];
                let g = V::load(dcol.add(lane));
                for (corner, weight) in weights.iter().enumerate() {
                    let dx = io.dx.add(at(corner));
                    g.mul_add(*weight, V::load(dx)).store(dx);
                }
                // Along the upper and the lower edge, then between them; and down both sides.
                let (upper, lower) = (x[1].sub(x[0]), x[3].sub(x[2]));
                let (left, far) = (x[2].sub(x[0]), x[3].sub(x[1]));
                by_column = g.mul_add(lower.sub(upper).mul_add(down, upper), by_column);
                by_row = g.mul_add(far.sub(left).mul_add(right, left), by_row);
                let value = x[1].mul_add(weights[1], x[0].mul(weights[0]));
                let value = x[3].mul_add(weights[3], x[2].mul_add(weights[2], value));
                value.store(col.add(lane));
            }
            *dp = [by_row.sum(), by_column.sum()];
        }
    }
}

unsafe fn adjoint_any(io: &Adjoint, taps: &[Tap], dp: &mut [[f32; 2]]) {
    for (t, (tap, dp)) in taps.iter().zip(dp).enumerate() {
        let weights = tap.weights();
        let mut products = [0.0; 4];
        for channel in 0..io.channels {
            // SAFETY: `sample_backward` checked all taps and outputs.
            unsafe {
                let place = t * io.channels + channel;
                let mut value = 0.0;
                if tap.inside {
                    let g = *io.dcol.add(place);
                    for (k, corner) in io.corners().into_iter().enumerate() {
                        let at = tap.index as usize + corner + channel;
                        let x = *io.x.add(at);
                        value += weights[k] * x;
                        products[k] += x * g;
                        *io.dx.add(at) += weights[k] * g;
                    }
                }
                *io.col.add(place) = value;
            }
        }
        *dp = position_gradient(tap, products);
    }
}
