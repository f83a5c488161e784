//! Symmetric matrices of up to [`ORDER`] rows, the lower triangle row by row, and their Cholesky
//! factor.
//!
//! Elements out of range read as zero and take no value: no index can panic.

use core::cmp::Ordering;

use super::{GLOBALS, MAX_SOURCES};

/// Most parameters of one fit.
pub(super) const ORDER: usize = GLOBALS + 3 * MAX_SOURCES;

/// A pivot below this share of its diagonal element has lost all its digits.
const SMALLEST_PIVOT: f64 = 1e-13;

/// One number per parameter.
pub(super) type Vector = [f64; ORDER];

/// Element `i` of a vector.
pub(super) fn at(vector: &Vector, i: usize) -> f64 {
    vector.get(i).copied().unwrap_or(0.0)
}

/// Adds to element `i` of a vector.
pub(super) fn add_at(vector: &mut Vector, i: usize, term: f64) {
    if let Some(element) = vector.get_mut(i) {
        *element += term;
    }
}

fn put(vector: &mut Vector, i: usize, value: f64) {
    if let Some(element) = vector.get_mut(i) {
        *element = value;
    }
}

/// Inner product, in ascending order, over the shorter length.
#[inline(always)]
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    // Four at a time spares turns of the loop; the order of the sum stays.
    let ((lefts, left), (rights, right)) = (left.as_chunks::<4>(), right.as_chunks::<4>());
    let mut sum = 0.0;
    for ([a, b, c, d], [e, f, g, h]) in lefts.iter().zip(rights) {
        sum = sum + a * e + b * f + c * g + d * h;
    }
    let (left, right) = match lefts.len().cmp(&rights.len()) {
        Ordering::Less => (
            left,
            rights.get(lefts.len()).map_or(right, <[f64; 4]>::as_slice),
        ),
        Ordering::Equal => (left, right),
        Ordering::Greater => (
            lefts.get(rights.len()).map_or(left, <[f64; 4]>::as_slice),
            right,
        ),
    };
    left.iter().zip(right).fold(sum, |sum, (a, b)| sum + a * b)
}

/// Elements before row `row`.
const fn start(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Lower triangle of a symmetric matrix, or a lower triangular factor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed([f64; start(ORDER)]);

impl Packed {
    pub(super) const ZERO: Self = Self([0.0; start(ORDER)]);

    /// Element `(i, j)`, in either order.
    pub(super) fn get(&self, i: usize, j: usize) -> f64 {
        let index = start(i.max(j)) + i.min(j);
        self.0.get(index).copied().unwrap_or(0.0)
    }

    /// Adds to element `(i, j)` and so to `(j, i)`.
    pub(super) fn add(&mut self, i: usize, j: usize, term: f64) {
        if let Some(element) = self.0.get_mut(start(i.max(j)) + i.min(j)) {
            *element += term;
        }
    }

    fn set(&mut self, i: usize, j: usize, value: f64) {
        if let Some(element) = self.0.get_mut(start(i.max(j)) + i.min(j)) {
            *element = value;
        }
    }

    /// Row `i` of the triangle, up to its diagonal.
    fn row(&self, i: usize) -> &[f64] {
        self.0.get(start(i)..start(i + 1)).unwrap_or_default()
    }

    /// Row `i` of the triangle, up to its diagonal, to add to.
    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        self.0.get_mut(start(i)..start(i + 1)).unwrap_or_default()
    }

    /// Zeroes the first `order` rows.
    pub(super) fn clear(&mut self, order: usize) {
        let used = self.0.iter_mut().take(start(order));
        used.for_each(|element| *element = 0.0);
    }

    /// Multiplies the first `order` rows.
    pub(super) fn scale(&mut self, order: usize, factor: f64) {
        let used = self.0.iter_mut().take(start(order));
        used.for_each(|element| *element *= factor);
    }

    /// Replaces row and column `i` by those of the identity.
    pub(super) fn isolate(&mut self, i: usize, order: usize) {
        for j in 0..order {
            self.set(i, j, 0.0);
        }
        self.set(i, i, 1.0);
    }

    /// Cholesky factor of `matrix + damping · diag(matrix)`; tells whether that is positive
    /// definite.
    pub(super) fn factor(&mut self, matrix: &Self, order: usize, damping: f64) -> bool {
        for i in 0..order {
            let Some((before, rest)) = self.0.split_at_mut_checked(start(i)) else {
                return false;
            };
            let row = rest.get_mut(..=i).unwrap_or_default();
            for (element, &value) in row.iter_mut().zip(matrix.row(i)) {
                *element = value;
            }
            let mut above = &*before;
            for j in 0..i {
                let (Some((line, below)), Some((known, [element, ..]))) =
                    (above.split_at_checked(j + 1), row.split_at_mut_checked(j))
                else {
                    return false;
                };
                above = below;
                let Some((pivot, line)) = line.split_last() else {
                    return false;
                };
                *element = (*element - dot(known, line)) / pivot;
            }
            let Some((last, known)) = row.split_last_mut() else {
                return false;
            };
            let diagonal = *last * (1.0 + damping);
            let pivot = diagonal - dot(known, known);
            let sound = pivot > SMALLEST_PIVOT * diagonal && pivot < f64::INFINITY;
            if !sound {
                return false;
            }
            *last = libm::sqrt(pivot);
        }
        true
    }

    /// Solves `L Lᵀ x = b` in place, where `self` is `L`.
    pub(super) fn solve(&self, order: usize, vector: &mut Vector) {
        for i in 0..order {
            let known = dot(self.row(i).get(..i).unwrap_or_default(), vector);
            let solved = (at(vector, i) - known) / self.get(i, i);
            put(vector, i, solved);
        }
        for i in (0..order).rev() {
            let solved = at(vector, i) / self.get(i, i);
            for (element, factor) in vector.iter_mut().zip(self.row(i)).take(i) {
                *element -= solved * factor;
            }
            put(vector, i, solved);
        }
    }

    /// Logarithm of the determinant of `L Lᵀ`, where `self` is `L`.
    pub(super) fn log_determinant(&self, order: usize) -> f64 {
        let logs = (0..order).map(|i| libm::log(self.get(i, i)));
        2.0 * logs.fold(0.0, |sum, term| sum + term)
    }
}
