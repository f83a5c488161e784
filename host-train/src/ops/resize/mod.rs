//! Maps resized along rows and columns, pixel centres at half-integers, corners not aligned.
//!
//! `y[n,i,j,c] = Σ R[i,k] · C[j,l] · x[n,k,l,c]`; the matrices have one or two entries per row.

mod cpu;

use crate::tensor::Shape;

/// How values between pixels come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Pixel `⌊i · from / to⌋`.
    Nearest,
    /// Linear between the two nearest pixels; beyond the outermost ones constant.
    Bilinear,
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
