//! Winograd convolution F(3×3, 3×3) on channel-last maps: 25 products replace 81.
//!
//! A map of 33×33 divides into 11×11 tiles of 3×3 outputs without a rest. Outputs are
//! `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A` for a 5×5 tile `d` of inputs and a 3×3 kernel `g` (Lavin and Gray,
//! arXiv 1509.09308). The same identity with a 3×3 tile of output gradients in the place of `g`
//! gives the kernel's gradient. Transformed values are `(25, tiles, channels)`: each point is a
//! plain matrix product.
//!
//! The points are ±½, ±3⁄2 and ∞: symmetric, so that even and odd parts are shared; dyadic, so
//! that the transforms of inputs are exact but for sums; and of all choices from 15 small
//! fractions within 5 % of the one with the least rounding: 3e-7 relative for 32 channels, where
//! the usual 0, ±1, 2, ∞ gives 6e-7 and direct summation 1e-7.

use super::vector::Vector;
use super::{Isa, dispatch};

/// Side of a tile of outputs.
pub const TILE: usize = 3;
/// Side of a tile of inputs, and of a transformed tile.
const SPAN: usize = 5;
/// Values of a transformed tile.
pub const POINTS: usize = SPAN * SPAN;
/// The finite points are ±`NEAR` and ±`FAR`.
const NEAR: f32 = 0.5;
const FAR: f32 = 1.5;
/// Channels come in multiples of this.
pub const GRAIN: usize = 16;

/// Tiles of 3×3 values at constant distances, in values.
#[derive(Clone, Copy, Debug)]
pub struct Tiles {
    /// Number of tiles.
    pub count: usize,
    /// Channels of each, a multiple of [`GRAIN`].
    pub channels: usize,
    /// From one tile to the next.
    pub step: usize,
    /// From one row of a tile to the next.
    pub row: usize,
    /// From one value of a row to the next.
    pub pixel: usize,
}

impl Tiles {
    fn span(&self) -> usize {
        (self.count - 1) * self.step + (TILE - 1) * (self.row + self.pixel) + self.channels
    }
}

/// Transformed tiles: point `p` of tile `t` starts at `p * point + t * channels`.
fn transformed_span(count: usize, channels: usize, point: usize) -> usize {
    (POINTS - 1) * point + count * channels
}

pub(super) fn check_channels(channels: usize) {
    assert!(
        channels > 0 && channels.is_multiple_of(GRAIN),
        "channels come in multiples of {GRAIN}"
    );
}

/// `Bᵀ d B` of the row of tiles whose outputs are rows `3·at..3·at+3` of a map `(h, w, channels)`;
/// outside, the map is zero.
///
/// # Panics
/// If `h` or `w` is no multiple of 3, or a slice is too short.
#[allow(clippy::too_many_arguments)]
pub fn transform_input(
    isa: Isa,
    x: &[f32],
    (h, w): (usize, usize),
    channels: usize,
    at: usize,
    out: &mut [f32],
    point: usize,
) {
    check_channels(channels);
    assert!(h.is_multiple_of(TILE) && w.is_multiple_of(TILE) && at < h / TILE);
    assert!(x.len() >= h * w * channels, "map too short");
    let tiles = w / TILE;
    assert!(out.len() >= transformed_span(tiles, channels, point));
    let rows: [Option<&[f32]>; SPAN] = std::array::from_fn(|a| {
        let row = (at * TILE + a).checked_sub(1).filter(|&row| row < h)?;
        Some(&x[row * w * channels..][..w * channels])
    });
    let out = out.as_mut_ptr();
    dispatch!(isa, input_row [] [] (
        rows: [Option<&[f32]>; SPAN], channels: usize, out: *mut f32, point: usize,
    ));
}

#[inline(always)]
unsafe fn input_row<V: Vector>(
    rows: [Option<&[f32]>; SPAN],
    channels: usize,
    out: *mut f32,
    point: usize,
) {
    let line = rows[1].map_or(0, <[f32]>::len);
    let tiles = line / (TILE * channels);
    let inside = rows.iter().all(Option::is_some);
    for tile in 0..tiles {
        for lane in (0..channels).step_by(V::LANES) {
            let first = tile * TILE * channels + lane;
            // SAFETY: `transform_input` checked the lengths; tiles that reach over an edge take
            // the path that looks at every value.
            unsafe {
                let out = out.add(tile * channels + lane);
                if inside && tile > 0 && tile + 1 < tiles {
                    let read = |a: usize, b: usize| {
                        let row = rows[a].map_or(std::ptr::null(), <[f32]>::as_ptr);
                        V::load(row.add(first + b * channels - channels))
                    };
                    input_tile::<V>(read, out, point);
                } else {
                    let read = |a: usize, b: usize| {
                        let at = (first + b * channels).wrapping_sub(channels);
                        match rows[a] {
                            Some(row) if at < line => V::load(row.as_ptr().add(at)),
                            _ => V::splat(0.0),
                        }
                    };
                    input_tile::<V>(read, out, point);
                }
            }
        }
    }
}

#[allow(clippy::needless_range_loop, reason = "a row runs across the columns")]
#[inline(always)]
unsafe fn input_tile<V: Vector>(read: impl Fn(usize, usize) -> V, out: *mut f32, point: usize) {
    // SAFETY: the caller's `read` stays inside the map and `out` has room for every point.
    unsafe {
        let mut columns = [[V::splat(0.0); SPAN]; SPAN];
        for (b, column) in columns.iter_mut().enumerate() {
            let d = [read(0, b), read(1, b), read(2, b), read(3, b), read(4, b)];
            *column = input_line(d);
        }
        for a in 0..SPAN {
            let v = input_line([
                columns[0][a],
                columns[1][a],
                columns[2][a],
                columns[3][a],
                columns[4][a],
            ]);
            for (b, v) in v.into_iter().enumerate() {
                v.store(out.add((a * SPAN + b) * point));
            }
        }
    }
}

/// `Bᵀ d`.
#[inline(always)]
unsafe fn input_line<V: Vector>(d: [V; SPAN]) -> [V; SPAN] {
    // SAFETY: the caller has the instruction set of `V`.
    unsafe {
        let (near, far) = (V::splat(-NEAR * NEAR), V::splat(-FAR * FAR));
        let (odd, even) = (d[1].mul_add(far, d[3]), d[0].mul_add(far, d[2]));
        let (odd_far, even_far) = (d[1].mul_add(near, d[3]), d[0].mul_add(near, d[2]));
        [
            even.mul_add(V::splat(NEAR), odd),
            even.mul_add(V::splat(-NEAR), odd),
            even_far.mul_add(V::splat(FAR), odd_far),
            even_far.mul_add(V::splat(-FAR), odd_far),
            even_far.mul_add(far, d[2].mul_add(near, d[4])),
        ]
    }
}

/// `G g Gᵀ` of tiles `g`, written to `out (25, tiles, channels)`.
///
/// # Panics
/// If a slice is too short.
pub fn transform_kernel(isa: Isa, g: &[f32], tiles: Tiles, out: &mut [f32], point: usize) {
    check_channels(tiles.channels);
    assert!(g.len() >= tiles.span(), "tiles too short");
    assert!(out.len() >= transformed_span(tiles.count, tiles.channels, point));
    let (g, out) = (g.as_ptr(), out.as_mut_ptr());
    dispatch!(isa, kernel_tiles [] [] (g: *const f32, tiles: Tiles, out: *mut f32, point: usize));
}

#[allow(clippy::needless_range_loop, reason = "a row runs across the columns")]
#[inline(always)]
unsafe fn kernel_tiles<V: Vector>(g: *const f32, tiles: Tiles, out: *mut f32, point: usize) {
    for tile in 0..tiles.count {
        for lane in (0..tiles.channels).step_by(V::LANES) {
            // SAFETY: `transform_kernel` checked both spans.
            unsafe {
                let g = g.add(tile * tiles.step + lane);
                let out = out.add(tile * tiles.channels + lane);
                let read = |a: usize, b: usize| V::load(g.add(a * tiles.row + b * tiles.pixel));
                let mut columns = [[V::splat(0.0); SPAN]; TILE];
                for (b, column) in columns.iter_mut().enumerate() {
                    *column = kernel_line([read(0, b), read(1, b), read(2, b)]);
                }
                for a in 0..SPAN {
                    let line = kernel_line([columns[0][a], columns[1][a], columns[2][a]]);
                    for (b, u) in line.into_iter().enumerate() {
                        u.store(out.add((a * SPAN + b) * point));
                    }
                }
            }
        }
    }
}

/// `G g`.
#[inline(always)]
unsafe fn kernel_line<V: Vector>(g: [V; TILE]) -> [V; SPAN] {
    // SAFETY: the caller has the instruction set of `V`.
    unsafe {
        // 1 / f'(p) at the points p of f(x) = (x² - near²)(x² - far²).
        let slope = 2.0 * (FAR * FAR - NEAR * NEAR);
        let odd = g[1].mul(V::splat(1.0 / slope));
        let near = g[2].mul_add(V::splat(NEAR * NEAR), g[0]);
        let near = near.mul(V::splat(1.0 / (slope * NEAR)));
        let far = g[2].mul_add(V::splat(FAR * FAR), g[0]);
        let far = far.mul(V::splat(1.0 / (slope * FAR)));
        let zero = V::splat(0.0);
        [
            zero.sub(odd.add(near)),
            near.sub(odd),
            odd.add(far),
            odd.sub(far),
            g[2],
        ]
    }
}

/// `Aᵀ m A` of `m (25, tiles, channels)`, plus `bias`, floored at zero where `relu`, written to
/// tiles of `out`.
///
/// # Panics
/// If a slice is too short.
pub fn transform_output(
    isa: Isa,
    m: &[f32],
    point: usize,
    bias: Option<&[f32]>,
    relu: bool,
    out: &mut [f32],
    tiles: Tiles,
) {
    check_channels(tiles.channels);
    assert!(m.len() >= transformed_span(tiles.count, tiles.channels, point));
    assert!(
        bias.is_none_or(|b| b.len() >= tiles.channels),
        "bias too short"
    );
    assert!(out.len() >= tiles.span(), "output too short");
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    let (m, out) = (m.as_ptr(), out.as_mut_ptr());
    dispatch!(isa, output_tiles [] [] (
        m: *const f32, point: usize, bias: Option<&[f32]>, floor: f32, out: *mut f32, tiles: Tiles,
    ));
}

#[allow(clippy::needless_range_loop, reason = "a row runs across the columns")]
#[inline(always)]
unsafe fn output_tiles<V: Vector>(
    m: *const f32,
    point: usize,
    bias: Option<&[f32]>,
    floor: f32,
    out: *mut f32,
    tiles: Tiles,
) {
    for tile in 0..tiles.count {
        for lane in (0..tiles.channels).step_by(V::LANES) {
            // SAFETY: `transform_output` checked all spans.
            unsafe {
                let m = m.add(tile * tiles.channels + lane);
                let out = out.add(tile * tiles.step + lane);
                let bias = bias.map_or(V::splat(0.0), |b| V::load(b.as_ptr().add(lane)));
                let floor = V::splat(floor);
                let mut columns = [[V::splat(0.0); TILE]; SPAN];
                for (b, column) in columns.iter_mut().enumerate() {
                    *column = output_line(std::array::from_fn(|a| {
                        V::load(m.add((a * SPAN + b) * point))
                    }));
                }
                for a in 0..TILE {
                    let line = output_line(std::array::from_fn(|b| columns[b][a]));
                    for (b, y) in line.into_iter().enumerate() {
                        let y = floor.max(y.add(bias));
                        y.store(out.add(a * tiles.row + b * tiles.pixel));
                    }
                }
            }
        }
    }
}

/// `Aᵀ m`.
#[inline(always)]
unsafe fn output_line<V: Vector>(m: [V; SPAN]) -> [V; TILE] {
    // SAFETY: the caller has the instruction set of `V`.
    unsafe {
        let (near, far) = (m[0].add(m[1]), m[2].add(m[3]));
        let near_odd = m[0].sub(m[1]).mul(V::splat(NEAR));
        let squares = near.mul_add(V::splat(NEAR * NEAR), m[4]);
        [
            near.add(far),
            m[2].sub(m[3]).mul_add(V::splat(FAR), near_odd),
            far.mul_add(V::splat(FAR * FAR), squares),
        ]
    }
}
