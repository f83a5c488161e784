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

fn check_channels(channels: usize) {
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

/// Sizes of the products of every point.
#[derive(Clone, Copy, Debug)]
pub struct Products {
    /// Tiles.
    pub tiles: usize,
    /// Input channels as stored, a multiple of [`GRAIN`].
    pub inputs: usize,
    /// Input channels that are not zero.
    pub used: usize,
    /// Output channels, a multiple of [`GRAIN`].
    pub outputs: usize,
}

impl Products {
    fn check(&self, v: usize, u: usize, m: usize) {
        check_channels(self.inputs);
        check_channels(self.outputs);
        assert!(self.used <= self.inputs);
        assert!(v >= POINTS * self.tiles * self.inputs, "inputs too short");
        assert!(
            u >= POINTS * self.inputs * self.outputs,
            "kernels too short"
        );
        assert!(m >= POINTS * self.tiles * self.outputs, "outputs too short");
    }
}

/// `m[p] = v[p] u[p]` for every point: `v (25, tiles, inputs)`, `u (25, inputs, outputs)`,
/// `m (25, tiles, outputs)`.
///
/// # Panics
/// If a slice is too short.
pub fn multiply(isa: Isa, sizes: Products, v: &[f32], u: &[f32], m: &mut [f32]) {
    sizes.check(v.len(), u.len(), m.len());
    let (v, u, m) = (v.as_ptr(), u.as_ptr(), m.as_mut_ptr());
    if sizes.outputs.is_multiple_of(2 * GRAIN) {
        dispatch!(isa, multiply_points [11, 2] [5, 2] (
            sizes: Products, v: *const f32, u: *const f32, m: *mut f32));
    } else {
        dispatch!(isa, multiply_points [11, 1] [5, 2] (
            sizes: Products, v: *const f32, u: *const f32, m: *mut f32));
    }
}

#[inline(always)]
unsafe fn multiply_points<V: Vector, const P: usize, const N: usize>(
    sizes: Products,
    v: *const f32,
    u: *const f32,
    m: *mut f32,
) {
    let Products {
        tiles,
        inputs,
        outputs,
        ..
    } = sizes;
    for point in 0..POINTS {
        for block in (0..outputs).step_by(N * V::LANES) {
            // SAFETY: `multiply` checked the lengths for all points, tiles and channels.
            unsafe {
                let (v, m) = (
                    v.add(point * tiles * inputs),
                    m.add(point * tiles * outputs + block),
                );
                let u = u.add(point * inputs * outputs + block);
                let mut t = 0;
                while t + P <= tiles {
                    let (v, m) = (v.add(t * inputs), m.add(t * outputs));
                    // Distances known at compile time turn broadcasts into addressed loads.
                    match (inputs, outputs) {
                        (32, 32) => multiply_block::<V, P, N, 32, 32>(sizes, v, u, m),
                        (16, 16) => multiply_block::<V, P, N, 16, 16>(sizes, v, u, m),
                        _ => multiply_block::<V, P, N, 0, 0>(sizes, v, u, m),
                    }
                    t += P;
                }
                while t < tiles {
                    let (v, m) = (v.add(t * inputs), m.add(t * outputs));
                    multiply_block::<V, 1, N, 0, 0>(sizes, v, u, m);
                    t += 1;
                }
            }
        }
    }
}

/// `P` tiles × `N` registers of outputs.
#[inline(always)]
unsafe fn multiply_block<
    V: Vector,
    const P: usize,
    const N: usize,
    const I: usize,
    const O: usize,
>(
    sizes: Products,
    v: *const f32,
    u: *const f32,
    m: *mut f32,
) {
    let inputs = if I == 0 { sizes.inputs } else { I };
    let outputs = if O == 0 { sizes.outputs } else { O };
    // SAFETY: the caller keeps all addressed values inside the checked slices.
    unsafe {
        let mut acc = [[V::splat(0.0); N]; P];
        for i in 0..sizes.used {
            let mut kernel = [V::splat(0.0); N];
            for (n, k) in kernel.iter_mut().enumerate() {
                *k = V::load(u.add(i * outputs + n * V::LANES));
            }
            for (p, row) in acc.iter_mut().enumerate() {
                let value = V::splat(*v.add(p * inputs + i));
                for (a, k) in row.iter_mut().zip(kernel) {
                    *a = value.mul_add(k, *a);
                }
            }
        }
        for (p, row) in acc.iter().enumerate() {
            for (n, a) in row.iter().enumerate() {
                a.store(m.add(p * outputs + n * V::LANES));
            }
        }
    }
}

/// `u[p] += v[p]ᵀ d[p]` for every point: `v (25, tiles, inputs)`, `d (25, tiles, outputs)`,
/// `u (25, inputs, outputs)`; rows of unused inputs stay.
///
/// # Panics
/// If a slice is too short.
pub fn multiply_transposed(isa: Isa, sizes: Products, v: &[f32], d: &[f32], u: &mut [f32]) {
    sizes.check(v.len(), u.len(), d.len());
    let (v, d, u) = (v.as_ptr(), d.as_ptr(), u.as_mut_ptr());
    if sizes.outputs.is_multiple_of(2 * GRAIN) {
        dispatch!(isa, transposed_points [8, 2] [4, 2] (
            sizes: Products, v: *const f32, d: *const f32, u: *mut f32));
    } else {
        dispatch!(isa, transposed_points [16, 1] [4, 2] (
            sizes: Products, v: *const f32, d: *const f32, u: *mut f32));
    }
}

#[inline(always)]
unsafe fn transposed_points<V: Vector, const L: usize, const N: usize>(
    sizes: Products,
    v: *const f32,
    d: *const f32,
    u: *mut f32,
) {
    let Products {
        tiles,
        inputs,
        outputs,
        ..
    } = sizes;
    for point in 0..POINTS {
        for block in (0..outputs).step_by(N * V::LANES) {
            // SAFETY: `multiply_transposed` checked the lengths; `L` divides the grain of inputs.
            unsafe {
                let (v, d) = (
                    v.add(point * tiles * inputs),
                    d.add(point * tiles * outputs + block),
                );
                let u = u.add(point * inputs * outputs + block);
                for i in (0..inputs).step_by(L) {
                    let (v, u) = (v.add(i), u.add(i * outputs));
                    match (inputs, outputs) {
                        (32, 32) => transposed_block::<V, L, N, 32, 32>(sizes, v, d, u),
                        (16, 16) => transposed_block::<V, L, N, 16, 16>(sizes, v, d, u),
                        _ => transposed_block::<V, L, N, 0, 0>(sizes, v, d, u),
                    }
                }
            }
        }
    }
}

/// `L` inputs × `N` registers of outputs over all tiles.
#[inline(always)]
unsafe fn transposed_block<
    V: Vector,
    const L: usize,
    const N: usize,
    const I: usize,
    const O: usize,
>(
    sizes: Products,
    mut v: *const f32,
    mut d: *const f32,
    u: *mut f32,
) {
    let inputs = if I == 0 { sizes.inputs } else { I };
    let outputs = if O == 0 { sizes.outputs } else { O };
    // SAFETY: the caller keeps all addressed values inside the checked slices.
    unsafe {
        let mut acc = [[V::splat(0.0); N]; L];
        for _ in 0..sizes.tiles {
            let mut gradient = [V::splat(0.0); N];
            for (n, g) in gradient.iter_mut().enumerate() {
                *g = V::load(d.add(n * V::LANES));
            }
            for (l, row) in acc.iter_mut().enumerate() {
                let value = V::splat(*v.add(l));
                for (a, g) in row.iter_mut().zip(gradient) {
                    *a = value.mul_add(g, *a);
                }
            }
            v = v.add(inputs);
            d = d.add(outputs);
        }
        for (l, row) in acc.iter().enumerate() {
            for (n, a) in row.iter().enumerate() {
                let u = u.add(l * outputs + n * V::LANES);
                a.add(V::load(u)).store(u);
            }
        }
    }
}
