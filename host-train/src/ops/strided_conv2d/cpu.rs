//! Strided and transposed convolutions on the CPU, each map for itself.

use rayon::prelude::*;

use super::columns::Columns;
use super::{StridedConv2d, TransposedConv2d};
use crate::backend::Backend;
use crate::backend::cpu::packed::sum_parts;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Sum of the gradient's pixels `(pixels, channels)`, in f64.
fn bias_gradient(dy: &[f32], db: &mut [f32]) {
    let mut sums = vec![0.0f64; db.len()];
    for pixel in dy.chunks_exact(db.len()) {
        for (s, &g) in sums.iter_mut().zip(pixel) {
            *s += f64::from(g);
        }
    }
    for (d, s) in db.iter_mut().zip(sums) {
        *d = s as f32;
    }
}

/// Kernel gradient over all items, parts of the batch side by side.
fn kernel_gradient(cpu: &Cpu, columns: &Columns, large: &[f32], small: &[f32], dw: &mut [f32]) {
    let packing = columns.packing(cpu.isa());
    let (l, s) = (columns.large.item(), columns.small.item());
    let per_part = Cpu::part_len(small.len() / s);
    let len = packing.len();
    let mut parts = cpu.alloc(small.len().div_ceil(per_part * s) * len);
    parts.fill(0.0);
    let batches = large
        .par_chunks(per_part * l)
        .zip(small.par_chunks(per_part * s));
    parts
        .par_chunks_mut(len)
        .zip(batches)
        .with_max_len(1)
        .for_each(|(sums, (large, small))| {
            for (large, small) in large.chunks_exact(l).zip(small.chunks_exact(s)) {
                columns.add_gradient(cpu.isa(), &packing, large, small, sums);
            }
        });
    sum_parts(&mut parts, len);
    columns.unpack(&packing, &parts[..len], dw);
    cpu.recycle(parts);
}

/// All maps from large to small.
fn all_down(
    cpu: &Cpu,
    columns: &Columns,
    w: &[f32],
    bias: &[f32],
    large: &[f32],
    small: &mut [f32],
) {
    let packed = columns.pack_down(cpu.isa(), w, bias);
    small
        .par_chunks_mut(columns.small.item())
        .zip(large.par_chunks(columns.large.item()))
        .for_each(|(small, large)| columns.down(cpu.isa(), &packed, large, small));
}

/// All maps from small to large.
fn all_up(cpu: &Cpu, columns: &Columns, w: &[f32], bias: &[f32], small: &[f32], large: &mut [f32]) {
    let packed = columns.pack_up(cpu.isa(), w);
    large
        .par_chunks_mut(columns.large.item())
        .zip(small.par_chunks(columns.small.item()))
        .for_each(|(large, small)| columns.up(cpu.isa(), &packed, bias, small, large));
}

impl StridedConv2d {
    fn columns(&self) -> Columns {
        Columns {
            large: self.input,
            small: self.output(),
            by: self.by,
        }
    }
}

impl TransposedConv2d {
    fn columns(&self) -> Columns {
        Columns {
            large: self.output(),
            small: self.input,
            by: self.by,
        }
    }
}

impl Operator<Cpu> for StridedConv2d {
    fn name(&self) -> &'static str {
        "strided_conv2d"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn multiply_adds(&self) -> u64 {
        (self.input.n * self.output().pixels() * self.weights()) as u64
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let bias: &[f32] = if self.bias { inputs[2] } else { &[] };
        all_down(cpu, &self.columns(), inputs[1], bias, inputs[0], output);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let columns = self.columns();
        if let Some(dx) = &mut grads[0] {
            all_up(cpu, &columns, saved.inputs[1], &[], saved.grad, dx);
        }
        if let Some(dw) = &mut grads[1] {
            kernel_gradient(cpu, &columns, saved.inputs[0], saved.grad, dw);
        }
        if let Some(Some(db)) = grads.get_mut(2) {
            bias_gradient(saved.grad, db);
        }
    }
}

impl Operator<Cpu> for TransposedConv2d {
    fn name(&self) -> &'static str {
        "transposed_conv2d"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn multiply_adds(&self) -> u64 {
        (self.input.n * self.input.pixels() * self.weights()) as u64
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let bias: &[f32] = if self.bias { inputs[2] } else { &[] };
        all_up(cpu, &self.columns(), inputs[1], bias, inputs[0], output);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let columns = self.columns();
        if let Some(dx) = &mut grads[0] {
            all_down(cpu, &columns, saved.inputs[1], &[], saved.grad, dx);
        }
        if let Some(dw) = &mut grads[1] {
            kernel_gradient(cpu, &columns, saved.grad, saved.inputs[0], dw);
        }
        if let Some(Some(db)) = grads.get_mut(2) {
            bias_gradient(saved.grad, db);
        }
    }
}
