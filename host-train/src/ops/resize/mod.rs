//! Maps resized along rows and columns, pixel centres at half-integers; corners aligned where asked for.
//!
//! `y[n,i,j,c] = Σ R[i,k] · C[j,l] · x[n,k,l,c]`; the matrices have one or two entries per row.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::tensor::Shape;

/// How values between pixels come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Pixel `⌊i · from / to⌋`.
    Nearest,
    /// Linear between the two nearest pixels; beyond the outermost ones constant.
    Bilinear,
    /// The same where the outermost pixels of both maps meet; a single one meets the first.
    Aligned,
}

/// Resize of `x` to `(n, h, w, c)`.
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    /// Shape of `x`.
    pub input: Shape,
    /// Rows of the output.
    pub h: usize,
    /// Columns of the output.
    pub w: usize,
    /// Values between pixels.
    pub interpolation: Interpolation,
}

impl Resize {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        Shape {
            h: self.h,
            w: self.w,
            ..self.input
        }
    }
}

/// `shares[0] · x[first] + shares[1] · x[second]`.
#[derive(Clone, Copy)]
struct Blend {
    first: usize,
    second: usize,
    shares: [f32; 2],
}

/// Where each of `to` outputs reads among `from` inputs.
fn blends(interpolation: Interpolation, from: usize, to: usize) -> Vec<Blend> {
    let nearest = |i| Blend {
        first: i * from / to,
        second: i * from / to,
        shares: [1.0, 0.0],
    };
    let bilinear = |i: usize| {
        let place = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let place = place.max(0.0);
        let first = (place as usize).min(from - 1);
        let rest = place - first as f64;
        Blend {
            first,
            second: (first + 1).min(from - 1),
            shares: [1.0 - rest, rest].map(|share| share as f32),
        }
    };
    let aligned = |i: usize| {
        let (place, gaps) = (i * (from - 1), (to - 1).max(1));
        let (first, rest) = (place / gaps, (place % gaps) as f32 / gaps as f32);
        Blend {
            first,
            second: (first + 1).min(from - 1),
            shares: [1.0 - rest, rest],
        }
    };
    match interpolation {
        Interpolation::Nearest => (0..to).map(nearest).collect(),
        Interpolation::Bilinear => (0..to).map(bilinear).collect(),
        Interpolation::Aligned => (0..to).map(aligned).collect(),
    }
}
