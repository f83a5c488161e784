//! Deformable convolution on the CPU: a row of samples, then the matrix product of the ordinary
//! convolution kernel over it.

use rayon::prelude::*;

use super::{DeformConv2d, TAPS};
use crate::backend::Backend;
use crate::backend::cpu::arch::{Isa, Rows, Tap, Window, sample, sample_backward};
use crate::backend::cpu::packed::{Packed, Packing, SLACK, sum_parts};
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::{Operator, Saved};

impl DeformConv2d {
    /// Samples of one pixel: taps × channels.
    fn inputs(&self) -> usize {
        TAPS * self.input.c
    }

    /// Values in a row of the map with its border of one zero pixel.
    fn bordered_row(&self) -> usize {
        (self.input.w + 2) * self.input.c
    }

    fn bordered_len(&self) -> usize {
        (self.input.h + 2) * self.bordered_row()
    }

    fn fill_border(&self, x: &[f32], map: &mut [f32]) {
        let (row, c, line) = (
            self.bordered_row(),
            self.input.c,
            self.input.w * self.input.c,
        );
        map[..row].fill(0.0);
        for (i, x) in x.chunks_exact(line).enumerate() {
            let target = &mut map[(i + 1) * row..(i + 2) * row];
            target[..c].fill(0.0);
            target[c..row - c].copy_from_slice(x);
            target[row - c..].fill(0.0);
        }
        map[(self.input.h + 1) * row..].fill(0.0);
    }

    /// Copies the inside of a bordered map.
    fn strip_border(&self, map: &[f32], out: &mut [f32]) {
        let (row, c, line) = (
            self.bordered_row(),
            self.input.c,
            self.input.w * self.input.c,
        );
        for (i, out) in out.chunks_exact_mut(line).enumerate() {
            out.copy_from_slice(&map[(i + 1) * row + c..][..line]);
        }
    }

    /// Taps of row `i`, from its offsets `(w, 18)`.
    fn taps(&self, i: usize, offsets: &[f32], taps: &mut [Tap]) {
        let (h, w) = (self.input.h as f32, self.input.w as f32);
        let (row, c) = (self.bordered_row(), self.input.c);
        for (j, (offsets, taps)) in offsets
            .chunks_exact(2 * TAPS)
            .zip(taps.chunks_exact_mut(TAPS))
            .enumerate()
        {
            for (k, (offset, tap)) in offsets.chunks_exact(2).zip(taps).enumerate() {
                let y = (i + k / 3) as f32 - 1.0 + offset[0];
                let x = (j + k % 3) as f32 - 1.0 + offset[1];
                let inside = y > -1.0 && y < h && x > -1.0 && x < w;
                *tap = if inside {
                    let (top, left) = (y.floor(), x.floor());
                    Tap {
                        index: ((top as i32 + 1) as usize * row + (left as i32 + 1) as usize * c)
                            as u32,
                        inside,
                        row: y - top,
                        column: x - left,
                    }
                } else {
                    Tap::default()
                };
            }
        }
    }

    /// Weight of output `o` for sample `k = (tap, channel)` in the layout `(out, c, 3, 3)`.
    fn weight_index(&self, o: usize, k: usize) -> usize {
        let (tap, c) = (k / self.input.c, k % self.input.c);
        (o * self.input.c + c) * TAPS + tap
    }
}

/// Everything that the backward pass of one map needs and that all maps share.
struct Plan {
    isa: Isa,
    /// Layout of the weight gradient.
    packing: Packing,
    /// Weights with the samples as outputs.
    transposed: Packed,
}

/// One part of the batch: where its gradients go.
struct Part<'a> {
    first: usize,
    dx: Option<&'a mut [f32]>,
    doffsets: Option<&'a mut [f32]>,
    dw: &'a mut [f32],
}

impl DeformConv2d {
    fn forward_item(&self, isa: Isa, packed: &Packed, x: &[f32], offsets: &[f32], y: &mut [f32]) {
        let (w, line) = (self.input.w, self.input.w * self.out_channels);
        let mut taps = vec![Tap::default(); w * TAPS];
        with_scratch(self.bordered_len(), |map| {
            with_scratch(w * self.inputs(), |col| {
                self.fill_border(x, map);
                for (i, y) in y.chunks_exact_mut(line).enumerate() {
                    let offsets = &offsets[i * w * 2 * TAPS..][..w * 2 * TAPS];
                    isa.run(|| self.taps(i, offsets, &mut taps));
                    sample(isa, map, self.input.c, self.bordered_row(), &taps, col);
                    packed.row(self.column_window(), col, false, y, w);
                }
            });
        });
    }

    fn backward_item(
        &self,
        plan: &Plan,
        (x, offsets, dy): (&[f32], &[f32], &[f32]),
        (dx, mut doffsets, dw): (Option<&mut [f32]>, Option<&mut [f32]>, &mut [f32]),
    ) {
        let (w, row, taps_len) = (self.input.w, self.bordered_row(), self.input.w * TAPS);
        let line = w * self.out_channels;
        let mut taps = vec![Tap::default(); taps_len];
        let mut positions = vec![[0.0f32; 2]; taps_len];
        with_scratch(2 * self.bordered_len(), |maps| {
            with_scratch(2 * w * self.inputs() + line + SLACK, |rows| {
                let (map, dmap) = maps.split_at_mut(self.bordered_len());
                let (col, rest) = rows.split_at_mut(w * self.inputs());
                let (dcol, dline) = rest.split_at_mut(w * self.inputs());
                self.fill_border(x, map);
                dmap.fill(0.0);
                dline.fill(0.0);
                for i in 0..self.input.h {
                    let at = i * 2 * taps_len;
                    let offsets = &offsets[at..at + 2 * taps_len];
                    plan.isa.run(|| self.taps(i, offsets, &mut taps));
                    dline[..line].copy_from_slice(&dy[i * line..(i + 1) * line]);
                    plan.transposed
                        .row(self.gradient_window(), dline, false, dcol, w);
                    let (c, taps) = (self.input.c, &taps);
                    sample_backward(plan.isa, map, c, row, taps, dcol, dmap, col, &mut positions);
                    if let Some(doffsets) = &mut doffsets {
                        doffsets[at..at + 2 * taps_len].copy_from_slice(positions.as_flattened());
                    }
                    if !dw.is_empty() {
                        let rows = self.single_row();
                        plan.packing
                            .add_gradient(self.column_window(), col, dline, rows, dw);
                    }
                }
                if let Some(dx) = dx {
                    self.strip_border(dmap, dx);
                }
            });
        });
    }

    /// A row of samples as the rows of a matrix product.
    fn column_window(&self) -> Window {
        let inputs = self.inputs();
        Window {
            runs: 1,
            run_len: inputs,
            run_stride: 0,
            pixel_stride: inputs,
        }
    }

    /// A row of output gradients as the rows of a matrix product.
    fn gradient_window(&self) -> Window {
        let out = self.out_channels;
        Window {
            runs: 1,
            run_len: out,
            run_stride: 0,
            pixel_stride: out,
        }
    }

    fn single_row(&self) -> Rows {
        Rows {
            rows: 1,
            pixels: self.input.w,
            x_row: 0,
            dy_row: 0,
            dy_pixel: self.out_channels,
        }
    }

    fn plan(&self, isa: Isa, w: &[f32]) -> Plan {
        let samples = Packing::new(isa, self.inputs(), self.out_channels);
        Plan {
            isa,
            packing: Packing::new(isa, self.out_channels, self.inputs()),
            transposed: Packed::new(samples, &[], |k, o| w[self.weight_index(o, k)]),
        }
    }
}

impl Operator<Cpu> for DeformConv2d {
    fn name(&self) -> &'static str {
        "deform_conv2d"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn multiply_adds(&self) -> u64 {
        (self.output().len() * self.inputs()) as u64
    }

    fn forward(&self, backend: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (isa, w) = (backend.isa(), inputs[2]);
        let packing = Packing::new(isa, self.out_channels, self.inputs());
        let packed = Packed::new(packing, &[], |o, k| w[self.weight_index(o, k)]);
        let offsets_len = self.input.pixels() * 2 * TAPS;
        output
            .par_chunks_mut(self.output().item())
            .zip(inputs[0].par_chunks(self.input.item()))
            .zip(inputs[1].par_chunks(offsets_len))
            .for_each(|((y, x), offsets)| self.forward_item(isa, &packed, x, offsets, y));
    }

    fn backward(&self, backend: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let isa = backend.isa();
        let plan = self.plan(isa, saved.inputs[2]);
        let (x_len, y_len) = (self.input.item(), self.output().item());
        let offsets_len = self.input.pixels() * 2 * TAPS;
        let batch = self.input.n;
        let per_part = Cpu::part_len(batch);
        let parts = batch.div_ceil(per_part);

        let [dx, doffsets, dw] = grads else {
            unreachable!("three inputs");
        };
        let dw_len = dw.as_ref().map_or(0, |_| plan.packing.len());
        let mut partial = backend.alloc(parts * dw_len);
        partial.fill(0.0);
        let mut dx_parts = dx.as_mut().map(|d| d.chunks_mut(per_part * x_len));
        let mut doffset_parts = doffsets
            .as_mut()
            .map(|d| d.chunks_mut(per_part * offsets_len));
        let mut dw_parts = partial.chunks_mut(dw_len.max(1));
        let work: Vec<Part> = (0..parts)
            .map(|i| Part {
                first: i * per_part,
                dx: dx_parts.as_mut().and_then(Iterator::next),
                doffsets: doffset_parts.as_mut().and_then(Iterator::next),
                dw: dw_parts.next().unwrap_or_default(),
            })
            .collect();
        work.into_par_iter().with_max_len(1).for_each(|part| {
            let Part {
                first,
                mut dx,
                mut doffsets,
                dw,
            } = part;
            for item in 0..per_part.min(batch - first) {
                let n = first + item;
                let read = (
                    &saved.inputs[0][n * x_len..(n + 1) * x_len],
                    &saved.inputs[1][n * offsets_len..(n + 1) * offsets_len],
                    &saved.grad[n * y_len..(n + 1) * y_len],
                );
                let dx = dx
                    .as_mut()
                    .map(|d| &mut d[item * x_len..(item + 1) * x_len]);
                let doffsets = doffsets
                    .as_mut()
                    .map(|d| &mut d[item * offsets_len..(item + 1) * offsets_len]);
                self.backward_item(&plan, read, (dx, doffsets, &mut *dw));
            }
        });

        if let Some(dw) = dw {
            sum_parts(&mut partial, dw_len);
            plan.packing.unpack(&partial[..dw_len], |o, k, v| {
                dw[self.weight_index(o, k)] = v;
            });
        }
        backend.recycle(partial);
    }
}
