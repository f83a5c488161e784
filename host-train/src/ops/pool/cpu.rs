//! Pooling on the CPU.

use rayon::prelude::*;

use super::{Pool, Take};
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::{Operator, Saved};

impl Pool {
    /// Where the pixels of window `number` of a map begin in it, row by row.
    #[inline(always)]
    fn pixels(&self, number: usize) -> impl Iterator<Item = usize> {
        let ([rows, columns], wide) = (self.window, self.input.w);
        let across = wide / columns;
        let first = number / across * rows * wide + number % across * columns;
        let c = self.input.c;
        (0..rows).flat_map(move |i| (0..columns).map(move |j| (first + i * wide + j) * c))
    }

    #[inline(always)]
    fn pool(&self, x: &[f32], y: &mut [f32]) {
        let c = self.input.c;
        let share = 1.0 / self.area() as f32;
        for (number, y) in y.chunks_exact_mut(c).enumerate() {
            match self.take {
                Take::Mean => {
                    y.fill(0.0);
                    for at in self.pixels(number) {
                        for (y, x) in y.iter_mut().zip(&x[at..at + c]) {
                            *y += x;
                        }
                    }
                    y.iter_mut().for_each(|y| *y *= share);
                }
                Take::Max => {
                    y.fill(f32::NEG_INFINITY);
                    for at in self.pixels(number) {
                        for (y, &x) in y.iter_mut().zip(&x[at..at + c]) {
                            *y = if x > *y { x } else { *y };
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn give_back(&self, (x, y): (&[f32], &[f32]), dy: &[f32], dx: &mut [f32]) {
        let c = self.input.c;
        let share = 1.0 / self.area() as f32;
        dx.fill(0.0);
        with_scratch(c, |rest| {
            let windows = y.chunks_exact(c).zip(dy.chunks_exact(c)).enumerate();
            for (number, (y, dy)) in windows {
                // What is left to give: nothing once a pixel has had it.
                rest.copy_from_slice(dy);
                for at in self.pixels(number) {
                    let dx = &mut dx[at..at + c];
                    match self.take {
                        Take::Mean => {
                            for (dx, g) in dx.iter_mut().zip(dy) {
                                *dx = share * g;
                            }
                        }
                        Take::Max => {
                            let values = x[at..at + c].iter().zip(y);
                            for ((dx, rest), (x, y)) in dx.iter_mut().zip(&mut *rest).zip(values) {
                                let won = x == y;
                                *dx = if won { *rest } else { 0.0 };
                                *rest = if won { 0.0 } else { *rest };
                            }
                        }
                    }
                }
            }
        });
    }
}

impl Operator<Cpu> for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let isa = cpu.isa();
        output
            .par_chunks_mut(self.output().item())
            .zip(inputs[0].par_chunks(self.input.item()))
            .for_each(|(y, x)| isa.run(|| self.pool(x, y)));
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        let (from, to, isa) = (self.input.item(), self.output().item(), cpu.isa());
        dx.par_chunks_mut(from)
            .zip(saved.inputs[0].par_chunks(from))
            .zip(saved.output.par_chunks(to))
            .zip(saved.grad.par_chunks(to))
            .for_each(|(((dx, x), y), dy)| isa.run(|| self.give_back((x, y), dy, dx)));
    }
}
