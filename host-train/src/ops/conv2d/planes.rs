//! 3×3 convolutions between one channel and many on the CPU.
//!
//! Only the map of one channel is copied into a border; the map of many is read and written where
//! it lies. From many to one, every pixel is first multiplied by all nine taps at once, and the
//! nine products are then added up where they belong.

use super::cpu::{add_bias_gradient, finish_bias};
use super::{Activation, Conv2d};
use crate::backend::cpu::arch::{Isa, Rows, Window};
use crate::backend::cpu::packed::{Packed, Packing, SLACK};
use crate::backend::cpu::with_scratch;
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved};

/// Side and values of a kernel.
const SIDE: usize = 3;
const TAPS: usize = SIDE * SIDE;
/// Products of a pixel as stored: taps, padded to a whole block.
const PRODUCTS: usize = 16;
/// Channels on the wide side come in multiples of this: whole blocks.
const GRAIN: usize = 16;

impl Conv2d {
    /// Whether exactly one side has a single channel and the other has many.
    pub(super) fn is_between_plane_and_many(&self) -> bool {
        let (from, to) = (self.input.c, self.out_channels);
        let many = from.max(to);
        self.kernel == SIDE && from.min(to) == 1 && many.is_multiple_of(GRAIN)
    }
}

/// A convolution from one channel to many or back.
pub(super) struct Planes {
    op: Conv2d,
    isa: Isa,
    /// Channels on the wide side.
    many: usize,
    /// One to many: taps as inputs.
    spread: Packed,
    /// Many to one: taps as outputs.
    collect: Packed,
    /// Layout of the kernel's gradient `(9, many)`.
    packing: Packing,
    bias: f32,
}

impl Planes {
    /// Packs kernels `w (out, c, 3, 3)`; `bias` is empty where there is none.
    pub(super) fn new(op: Conv2d, isa: Isa, w: &[f32], bias: &[f32]) -> Self {
        let many = op.input.c.max(op.out_channels);
        let narrow = op.out_channels == 1;
        // The gradient by the inputs reads the kernel from the other end.
        let mirrored = |tap: usize, yes: bool| if yes { TAPS - 1 - tap } else { tap };
        let packing = Packing::new(isa, many, TAPS);
        let wide_bias = if narrow { &[] } else { bias };
        Self {
            op,
            isa,
            many,
            spread: Packed::new(packing.clone(), wide_bias, |c, tap| {
                w[c * TAPS + mirrored(tap, narrow)]
            }),
            collect: Packed::new(Packing::new(isa, PRODUCTS, many), &[], |tap, c| {
                if tap < TAPS {
                    w[c * TAPS + mirrored(tap, !narrow)]
                } else {
                    0.0
                }
            }),
            packing,
            bias: if narrow {
                bias.first().copied().unwrap_or_default()
            } else {
                0.0
            },
        }
    }

    fn bordered_row(&self) -> usize {
        self.op.input.w + 2
    }

    fn bordered_len(&self) -> usize {
        (self.op.input.h + 2) * self.bordered_row() + SLACK
    }

    /// Copies a plane into its border of zeros.
    fn fill_border(&self, plane: &[f32], bordered: &mut [f32]) {
        let row = self.bordered_row();
        bordered.fill(0.0);
        for (i, line) in plane.chunks_exact(self.op.input.w).enumerate() {
            bordered[(i + 1) * row + 1..][..line.len()].copy_from_slice(line);
        }
    }

    fn window(&self) -> Window {
        Window {
            runs: SIDE,
            run_len: SIDE,
            run_stride: self.bordered_row(),
            pixel_stride: 1,
        }
    }

    /// One to many: `bordered` plane to `wide (pixels, many)`.
    fn spread(&self, bordered: &[f32], relu: bool, wide: &mut [f32]) {
        let w = self.op.input.w;
        for (i, wide) in wide.chunks_exact_mut(w * self.many).enumerate() {
            let rows = &bordered[i * self.bordered_row()..];
            self.spread.row(self.window(), rows, relu, wide, w);
        }
    }

    /// Many to one: `wide (pixels, many)` to `plane`, plus the bias.
    fn collect(&self, wide: &[f32], plane: &mut [f32]) {
        let (h, w) = (self.op.input.h, self.op.input.w);
        let row = w * PRODUCTS;
        let window = Window {
            runs: 1,
            run_len: self.many,
            run_stride: 0,
            pixel_stride: self.many,
        };
        with_scratch(h * row, |products| {
            let rows = products.chunks_exact_mut(row);
            for (wide, products) in wide.chunks_exact(w * self.many).zip(rows) {
                self.collect.row(window, wide, false, products, w);
            }
            plane.fill(self.bias);
            for (i, line) in plane.chunks_exact_mut(w).enumerate() {
                for a in 0..SIDE {
                    let Some(from) = (i + a).checked_sub(1).filter(|&from| from < h) else {
                        continue;
                    };
                    add_row(&products[from * row..][..row], a, line);
                }
            }
        });
    }

    /// Adds the kernel's gradient `(9, many)`, for a `bordered` plane as the input.
    fn add_gradient(&self, bordered: &[f32], wide: &[f32], dw: &mut [f32]) {
        let (h, w) = (self.op.input.h, self.op.input.w);
        let rows = Rows {
            rows: h,
            pixels: w,
            x_row: self.bordered_row(),
            dy_row: w * self.many,
            dy_pixel: self.many,
        };
        self.packing
            .add_gradient(self.window(), bordered, wide, rows, dw);
    }

    /// Gradient by the sum before the activation; `y` is read where there is one.
    fn gradient_of_sum(&self, y: &[f32], dy: &[f32], out: &mut [f32]) {
        let activation = self.op.activation;
        self.isa.run(|| match activation {
            Activation::None => out.copy_from_slice(dy),
            Activation::Relu => {
                for ((o, &y), &g) in out.iter_mut().zip(y).zip(dy) {
                    *o = if y > 0.0 { g } else { 0.0 };
                }
            }
            Activation::Sigmoid => {
                for ((o, &y), &g) in out.iter_mut().zip(y).zip(dy) {
                    *o = g * y * (1.0 - y);
                }
            }
        });
    }

    /// Gradients of a convolution from many channels to one.
    fn backward_to_one(&self, x: &[f32], dy: &[f32], dx: Option<&mut [f32]>, dw: &mut [f32]) {
        with_scratch(self.bordered_len(), |bordered| {
            self.fill_border(dy, bordered);
            if let Some(dx) = dx {
                self.spread(bordered, false, dx);
            }
            if !dw.is_empty() {
                self.add_gradient(bordered, x, dw);
            }
        });
    }

    /// Gradients of a convolution from one channel to many.
    fn backward_to_many(&self, x: &[f32], dy: &[f32], dx: Option<&mut [f32]>, dw: &mut [f32]) {
        if let Some(dx) = dx {
            self.collect(dy, dx);
        }
        if !dw.is_empty() {
            with_scratch(self.bordered_len(), |bordered| {
                self.fill_border(x, bordered);
                self.add_gradient(bordered, dy, dw);
            });
        }
    }
}

/// Adds to every pixel of `line` the products of kernel row `a` of its three neighbours in
/// `products (w, 16)`.
fn add_row(products: &[f32], a: usize, line: &mut [f32]) {
    let w = line.len();
    for (j, value) in line.iter_mut().enumerate() {
        let mut sum = products[j * PRODUCTS + a * SIDE + 1];
        if j > 0 {
            sum += products[(j - 1) * PRODUCTS + a * SIDE];
        }
        if j + 1 < w {
            sum += products[(j + 1) * PRODUCTS + a * SIDE + 2];
        }
        *value += sum;
    }
}

impl ItemKernel for Planes {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        let relu = self.op.activation == Activation::Relu;
        if self.op.out_channels == 1 {
            self.collect(inputs[0], output);
            if relu {
                for v in output.iter_mut() {
                    *v = if *v < 0.0 { 0.0 } else { *v };
                }
            }
        } else {
            with_scratch(self.bordered_len(), |bordered| {
                self.fill_border(inputs[0], bordered);
                self.spread(bordered, relu, output);
            });
        }
        self.op.sigmoid(output);
    }

    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], sums: &mut [f32]) {
        let own = self.op.activation != Activation::None;
        with_scratch(if own { saved.grad.len() } else { 0 }, |scratch| {
            let dy = if own {
                self.gradient_of_sum(saved.output, saved.grad, scratch);
                &*scratch
            } else {
                saved.grad
            };
            let (x, dx) = (saved.inputs[0], grads[0].take());
            let (dw, db) = sums.split_at_mut(self.packing.len().min(sums.len()));
            if self.op.out_channels == 1 {
                self.backward_to_one(x, dy, dx, dw);
            } else {
                self.backward_to_many(x, dy, dx, dw);
            }
            if !db.is_empty() {
                add_bias_gradient(self.isa, dy, db.len(), db);
            }
        });
    }

    fn sums_len(&self) -> usize {
        self.packing.len() + self.op.bias_len()
    }

    fn finish(&self, sums: &[f32], shared: &mut [Option<&mut [f32]>]) {
        let (dw, db) = sums.split_at(self.packing.len());
        // With the gradient in the place of the input, taps come out mirrored.
        let mirrored = self.op.out_channels == 1;
        if let Some(target) = &mut shared[0] {
            self.packing.unpack(dw, |c, tap, v| {
                let tap = if mirrored { TAPS - 1 - tap } else { tap };
                target[c * TAPS + tap] += v;
            });
        }
        finish_bias(db, shared);
    }
}
