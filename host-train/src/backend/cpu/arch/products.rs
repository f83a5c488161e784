//! Matrix products of transformed tiles, point by point, and their transposes for gradients.

use super::vector::Vector;
use super::winograd::{GRAIN, POINTS, check_channels};
use super::{Isa, dispatch};

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
