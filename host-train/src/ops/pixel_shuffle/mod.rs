//! Channels as sub-pixels: `y[n, f·i+a, f·j+b, c] = x[n, i, j, c·f² + f·a + b]` (Shi et al. 2016).

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::tensor::Shape;

/// Pixel shuffle of `x (n, h, w, c·f²)` to `(n, f·h, f·w, c)`.
#[derive(Clone, Copy, Debug)]
pub struct PixelShuffle {
    /// Shape of `x`; its channels are a multiple of `factor²`.
    pub input: Shape,
    /// Sub-pixels per pixel and axis.
    pub factor: usize,
}

impl PixelShuffle {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        let Shape { n, h, w, c } = self.input;
        Shape {
            n,
            h: h * self.factor,
            w: w * self.factor,
            c: c / (self.factor * self.factor),
        }
    }
}
