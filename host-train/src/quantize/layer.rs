//! One layer: weights to `i8` with a scale for every output, scales to factors.

use derefnet_core::fixed::Requant;

use super::body::IntegerLayer;
use crate::{Error, Result};

/// Greatest weight.
pub(super) const MOST: f64 = 127.0;
/// Shares of the greatest weight at which clipping is tried.
const CLIPS: std::ops::RangeInclusive<u32> = 70..=100;

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
    pub(super) fn quantise(&self, output_step: impl Fn(usize) -> f64) -> Result<IntegerLayer> {
        let per_output = self.weights.len() / self.outputs.max(1);
        let mut layer = IntegerLayer::default();
        for (output, weights) in self.weights.chunks_exact(per_output.max(1)).enumerate() {
            let bias = f64::from(self.bias.get(output).copied().unwrap_or(0.0));
            let (step, weights) = self.integers(weights, bias);
            let unit = self.input_step * step;
            let factor = Requant::nearest(unit / output_step(output)).map_err(|e| {
                Error::CheckFailed(format!("quantising {}, output {output}: {e}", self.name))
            })?;
            // As kernel row, kernel column, input channel.
            let inputs = weights.len() / self.taps;
            let order = (0..self.taps).flat_map(|t| (0..inputs).map(move |i| i * self.taps + t));
            layer.weights.extend(order.map(|at| weights[at]));
            layer.scaling.push(((bias / unit).round() as i32, factor));
        }
        Ok(layer)
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
        sum * 32_768.0 + bias.abs() + 1.0 < f64::from(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let got = layer(&weights, &[0.5, -2.0], 2).quantise(|_| 1.0).unwrap();
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
        let got = layer(&[1e-6; 12], &[1e4, 0.0], 2)
            .quantise(|_| 1.0)
            .unwrap();
        let (bias, factor) = got.scaling[0];
        assert!((f64::from(bias) * factor.factor() - 1e4).abs() < 1.0);
        assert!(layer(&[1e3; 12], &[], 2).quantise(|_| 0.01).is_err());
    }
}
