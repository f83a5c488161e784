//! Convolutions between a large map and a small one: with a stride, and their adjoints.
//!
//! With `w (small, large, k, k)`, stride `s` and zero padding `p`:
//! strided `y[n,i,j,o] = b[o] + Σ_{a,b,c} w[o,c,a,b] · x[n, s·i+a-p, s·j+b-p, c]`; transposed, the
//! other way round, `y[n, s·i+a-p, s·j+b-p, o] += w[c,o,a,b] · x[n,i,j,c]` on top of `b[o]`.
//! Kernels may have any side; unlike [`Conv2d`](super::Conv2d) there is no activation.

mod columns;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::tensor::Shape;

/// Kernel, stride and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride {
    /// Side of the kernel.
    pub kernel: usize,
    /// Pixels of the large map per pixel of the small one.
    pub stride: usize,
    /// Zeros around the large map.
    pub padding: usize,
}

/// Strided convolution; inputs `x (n, h, w, c)`, `w (out, c, k, k)` and, where `bias`, `b (out)`.
#[derive(Clone, Copy, Debug)]
pub struct StridedConv2d {
    /// Shape of `x`, the large map.
    pub input: Shape,
    /// Output channels.
    pub out_channels: usize,
    /// Geometry.
    pub by: Stride,
    /// Whether a third input holds the bias.
    pub bias: bool,
}

/// Transposed convolution; inputs `x (n, h, w, c)`, `w (c, out, k, k)` and, where `bias`, `b (out)`.
#[derive(Clone, Copy, Debug)]
pub struct TransposedConv2d {
    /// Shape of `x`, the small map.
    pub input: Shape,
    /// Output channels.
    pub out_channels: usize,
    /// Geometry.
    pub by: Stride,
    /// Whether a third input holds the bias.
    pub bias: bool,
}

impl StridedConv2d {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        let Stride {
            kernel,
            stride,
            padding,
        } = self.by;
        let side = |from: usize| (from + 2 * padding - kernel) / stride + 1;
        Shape {
            n: self.input.n,
            h: side(self.input.h),
            w: side(self.input.w),
            c: self.out_channels,
        }
    }

    /// Values of the kernel.
    pub fn weights(&self) -> usize {
        self.out_channels * self.input.c * self.by.kernel * self.by.kernel
    }
}

impl TransposedConv2d {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        let Stride {
            kernel,
            stride,
            padding,
        } = self.by;
        let side = |from: usize| (from - 1) * stride + kernel - 2 * padding;
        Shape {
            n: self.input.n,
            h: side(self.input.h),
            w: side(self.input.w),
            c: self.out_channels,
        }
    }

    /// Values of the kernel.
    pub fn weights(&self) -> usize {
        self.out_channels * self.input.c * self.by.kernel * self.by.kernel
    }
}
