//! One layer: weights to `i8` with a scale for every output, scales to factors, and how far that can
//! move an output.

use derefnet_core::fixed::Requant;

use serde::Serialize;

use super::body::IntegerLayer;
use crate::{Error, Result};

/// Greatest weight.
pub(super) const MOST: f64 = 127.0;
/// Greatest magnitude of an input.
const MOST_INPUT: f64 = 32_768.0;
/// Shares of the greatest weight at which clipping is tried.
const CLIPS: std::ops::RangeInclusive<u32> = 70..=100;

/// How far a layer in integers can be from the layer in floats on the same inputs, whatever integers
/// these are, unless the output saturates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerBound {
    /// Name, as in the file of the float network.
    pub layer: String,
    /// Of every output, for every input channel, as a share of the greatest magnitude that it reads
    /// there, `(outputs, inputs)`.
    #[serde(skip)]
    pub slopes: Vec<f64>,
    /// Of every output on inputs of 0, in units of the float network.
    pub rests: Vec<f64>,
    /// At the greatest inputs there are, of the output for which that is greatest, as a share of what
    /// the output can reach in floats.
    pub share: f64,
}

impl LayerBound {
    /// Of `output` where no value that it reads of an input channel exceeds that channel's `greatest`,
    /// in units of the float network.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn at(&self, output: usize, greatest: &[f64]) -> f64 {
        let slopes = &self.slopes[output * greatest.len()..][..greatest.len()];
        let missed = slopes
            .iter()
            .zip(greatest)
            .map(|(slope, most)| slope * most);
        missed.sum::<f64>() + self.rests[output]
    }
}

/// A layer in floats.
pub(super) struct FloatLayer<'w> {
    /// For messages.
    pub(super) name: &'w str,
    /// Weights `(outputs, inputs, taps)`.
    pub(super) weights: &'w [f32],
    /// Biases, or none.
    pub(super) bias: &'w [f32],
    pub(super) outputs: usize,
    pub(super) taps: usize,
    /// What a step of the input is worth.
    pub(super) input_step: f64,
}

impl FloatLayer<'_> {
    /// The layer in integers; a step of output `o` is worth `output_step(o)`.
    ///
    /// # Errors
    /// Names the layer if a factor is ½ or more: its outputs are finer than its products.
    pub(super) fn quantise(
        &self,
        output_step: impl Fn(usize) -> f64,
    ) -> Result<(IntegerLayer, LayerBound)> {
        let per_output = self.weights.len() / self.outputs.max(1);
        let mut layer = IntegerLayer::default();
        let mut bound = LayerBound {
            layer: self.name.to_owned(),
            slopes: Vec::with_capacity(self.weights.len() / self.taps),
            rests: Vec::with_capacity(self.outputs),
            share: 0.0,
        };
        for (output, floats) in self.weights.chunks_exact(per_output.max(1)).enumerate() {
            let bias = f64::from(self.bias.get(output).copied().unwrap_or(0.0));
            let (step, weights) = self.integers(floats, bias);
            let (unit, out) = (self.input_step * step, output_step(output));
            let factor = Requant::nearest(unit / out).map_err(|e| {
                Error::CheckFailed(format!("quantising {}, output {output}: {e}", self.name))
            })?;
            let scaling = ((bias / unit).round() as i32, factor);
            let worth = factor.factor() * out;
            let missed = self.missed(floats, &weights, worth);
            let rest = (bias - worth * f64::from(scaling.0)).abs() + 0.5 * out;
            let greatest = self.input_step * MOST_INPUT;
            let sum: f64 = floats.iter().map(|&w| f64::from(w).abs()).sum();
            let reach = sum * greatest + bias.abs();
            if reach > 0.0 {
                let most = missed.iter().sum::<f64>() * greatest + rest;
                bound.share = bound.share.max(most / reach);
            }
            bound.slopes.extend(missed);
            bound.rests.push(rest);
            // As kernel row, kernel column, input channel.
            let inputs = weights.len() / self.taps;
            let order = (0..self.taps).flat_map(|t| (0..inputs).map(move |i| i * self.taps + t));
            layer.weights.extend(order.map(|at| weights[at]));
            layer.scaling.push(scaling);
        }
        Ok((layer, bound))
    }

    /// What the weights of an output miss by their integers, summed for every input, when a step of the
    /// sum is worth what the factor says, `worth`.
    fn missed(&self, floats: &[f32], integers: &[i8], worth: f64) -> Vec<f64> {
        let step = worth / self.input_step;
        let of_input = |(floats, integers): (&[f32], &[i8])| {
            let pairs = floats.iter().zip(integers);
            let missed = |(&w, &q): (&f32, &i8)| (f64::from(w) - step * f64::from(q)).abs();
            pairs.map(missed).sum()
        };
        let inputs = floats.chunks_exact(self.taps);
        inputs
            .zip(integers.chunks_exact(self.taps))
            .map(of_input)
            .collect()
    }

    /// Step and integers of one output's weights: the clipping with the least squared error, or a
    /// coarser one where sums could leave 32 bits.
    fn integers(&self, weights: &[f32], bias: f64) -> (f64, Vec<i8>) {
        let most = weights
            .iter()
            .fold(0.0, |m: f64, &w| m.max(f64::from(w).abs()));
        let smallest = (bias.abs() / self.input_step / f64::from(1 << 29)).max(1e-12);
        let round = |step: f64| -> Vec<i8> {
            let integer = |&w: &f32| (f64::from(w) / step).round().clamp(-MOST, MOST) as i8;
            weights.iter().map(integer).collect()
        };
        let error = |step: f64| -> f64 {
            let pairs = weights.iter().zip(round(step));
            let square = |(&w, q): (&f32, i8)| (f64::from(w) - step * f64::from(q)).powi(2);
            pairs.map(square).sum()
        };
        let steps = CLIPS.map(|clip| (most * f64::from(clip) / 100.0 / MOST).max(smallest));
        let best = steps.min_by(|&a, &b| error(a).total_cmp(&error(b)));
        let mut step = best.unwrap_or(smallest);
        while !self.fits(&round(step), bias / (self.input_step * step)) {
            step *= 1.05;
        }
        (step, round(step))
    }

    /// Whether no sum can leave 32 bits, whatever `i16` the inputs hold.
    fn fits(&self, weights: &[i8], bias: f64) -> bool {
        let sum: f64 = weights.iter().map(|w| f64::from(w.unsigned_abs())).sum();
        sum * MOST_INPUT + bias.abs() + 1.0 < f64::from(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn layer<'w>(weights: &'w [f32], bias: &'w [f32], taps: usize) -> FloatLayer<'w> {
        FloatLayer {
            name: "layer",
            weights,
            bias,
            outputs: 2,
            taps,
            input_step: 0.01,
        }
    }

    #[test]
    fn integers_times_steps_are_the_weights_in_the_order_of_the_file() {
        // Two outputs, three inputs, two taps: weight 100·output + 10·input + tap.
        let weights: Vec<f32> = (0..12)
            .map(|k| (100 * (k / 6) + 10 * (k % 6 / 2) + k % 2) as f32 + 1.0)
            .collect();
        let (got, _) = layer(&weights, &[0.5, -2.0], 2).quantise(|_| 1.0).unwrap();
        for output in 0..2 {
            let (bias, factor) = got.scaling[output];
            for tap in 0..2 {
                for input in 0..3 {
                    let integer = got.weights[output * 6 + tap * 3 + input];
                    // A step of the product is worth `factor` steps of 1; inputs have steps of 0.01.
                    let value = f64::from(integer) * factor.factor() / 0.01;
                    let float = f64::from(weights[output * 6 + input * 2 + tap]);
                    assert!((value - float).abs() < 0.6, "{value} {float}");
                }
            }
            let value = f64::from(bias) * factor.factor();
            assert!((value - [0.5, -2.0][output]).abs() < 0.01);
        }
    }

    #[test]
    fn biases_of_any_size_leave_room_for_the_sum() {
        let (got, _) = layer(&[1e-6; 12], &[1e4, 0.0], 2)
            .quantise(|_| 1.0)
            .unwrap();
        let (bias, factor) = got.scaling[0];
        assert!((f64::from(bias) * factor.factor() - 1e4).abs() < 1.0);
        assert!(layer(&[1e3; 12], &[], 2).quantise(|_| 0.01).is_err());
    }

    /// Layers of 24 weights on drawn inputs and on the worst ones, those with the signs of the weights'
    /// errors: no output strays farther than its bound, and the worst inputs come near it.
    #[test]
    fn bounds_hold_and_are_tight() {
        for case in 0..1000 {
            let mut rng = Rng::new(case, *b"bounds..", 0);
            let scale = 10f64.powf(rng.range(-3.0, 1.0));
            let mut draw = |scale: f64| (scale * rng.range(-1.0, 1.0)) as f32;
            let weights: Vec<f32> = (0..48).map(|_| draw(scale)).collect();
            let bias = [draw(scale), draw(scale * 3e4)];
            let layer = layer(&weights, &bias, 1);
            // Coarse enough that 24 products cannot saturate.
            let step = scale * 0.24 * (1.0 + f64::from(draw(0.5)));
            let (got, bound) = layer.quantise(|_| step).unwrap();
            for output in 0..2 {
                let floats = &weights[24 * output..][..24];
                let integers = &got.weights[24 * output..][..24];
                let (offset, factor) = got.scaling[output];
                let unit = factor.factor() * step / layer.input_step;
                let signs = floats.iter().zip(integers);
                let signs = signs.map(|(&w, &q)| (f64::from(w) - unit * f64::from(q)).signum());
                let missed = f64::from(bias[output]) - unit * layer.input_step * f64::from(offset);
                let worst = signs.map(|sign| (sign * missed.signum() * 32_767.0) as i16);
                let drawn = (0..24).map(|_| draw(32_767.0) as i16);
                let error = |inputs: Vec<i16>| {
                    let sum = integers.iter().zip(&inputs);
                    let sum: i32 = sum.map(|(&q, &x)| i32::from(q) * i32::from(x)).sum();
                    let float = floats.iter().zip(&inputs);
                    let float = float.map(|(&w, &x)| f64::from(w) * f64::from(x));
                    let float = float.sum::<f64>() * layer.input_step + f64::from(bias[output]);
                    (f64::from(factor.apply(sum + offset)) * step - float).abs()
                };
                let [worst, drawn] = [error(worst.collect()), error(drawn.collect())];
                let most = bound.at(output, &[layer.input_step * MOST_INPUT; 24]);
                assert!(
                    drawn.max(worst) <= most * (1.0 + 1e-9),
                    "{case}: {worst} {most}"
                );
                // What rounds by less than half a step here can round by half of one.
                assert!(worst + step > 0.999 * most, "{case}: {worst} {most}");
            }
        }
    }
}
