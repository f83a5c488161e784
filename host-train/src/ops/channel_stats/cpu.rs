//! Channel statistics on the CPU.

use rayon::prelude::*;

use super::ChannelStats;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Pixels per task.
const BLOCK: usize = 1 << 10;

impl Operator<Cpu> for ChannelStats {
    fn name(&self) -> &'static str {
        "channel_stats"
    }

    fn output_len(&self) -> usize {
        2 * self.pixels
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (c, isa) = (self.channels, cpu.isa());
        output
            .par_chunks_mut(2 * BLOCK)
            .zip(inputs[0].par_chunks(c * BLOCK))
            .for_each(|(out, x)| {
                isa.run(|| {
                    for (out, x) in out.chunks_exact_mut(2).zip(x.chunks_exact(c)) {
                        out[0] = x.iter().sum::<f32>() / c as f32;
                        out[1] = x
                            .iter()
                            .fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
                    }
                });
            });
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        let (c, isa) = (self.channels, cpu.isa());
        dx.par_chunks_mut(c * BLOCK)
            .zip(saved.inputs[0].par_chunks(c * BLOCK))
            .zip(saved.output.par_chunks(2 * BLOCK))
            .zip(saved.grad.par_chunks(2 * BLOCK))
            .for_each(|(((dx, x), y), dy)| {
                isa.run(|| {
                    let pixels = dx.chunks_exact_mut(c).zip(x.chunks_exact(c));
                    let stats = y.chunks_exact(2).zip(dy.chunks_exact(2));
                    for ((dx, x), (y, dy)) in pixels.zip(stats) {
                        dx.fill(dy[0] / c as f32);
                        if let Some(first) = x.iter().position(|&v| v == y[1]) {
                            dx[first] += dy[1];
                        }
                    }
                });
            });
    }
}
