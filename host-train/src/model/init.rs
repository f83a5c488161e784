//! Initial values, as the authors' layers draw them.

use super::config::ModelConfig;
use super::parameters::{Parameter, Parameters};
use crate::rng::Rng;

/// Random numbers of this module.
const DOMAIN: [u8; 8] = *b"init    ";
/// Start of the data steps' `ρ`. The released 0.5 diverges at first; below 0.233 is stable.
const RHO: f32 = 0.1;
/// Start of the thresholds `θ`, in counts.
const THETA: f32 = 0.01;

/// Draws all parameters of `config`; every tensor has its own stream of `seed`.
///
/// Stage kernels are Xavier-normal; position code, attention and output layers uniform in
/// ±1/√fan_in; feature and first tail layers normal with variance 2/fan_out; residual kernels a
/// tenth of a normal with variance 2/fan_in; deformable kernels uniform in ±√(6/fan_in); offset
/// layers and the remaining biases start at zero.
pub fn initialise(config: &ModelConfig, seed: u64) -> Parameters {
    let mut parameters = Parameters::zeros(config);
    for (stream, tensor) in parameters.tensors.iter_mut().enumerate() {
        let mut rng = Rng::new(seed, DOMAIN, stream as u64);
        fill(tensor, config, &mut rng);
    }
    parameters
}

fn fill(tensor: &mut Parameter, config: &ModelConfig, rng: &mut Rng) {
    let (fan_in, fan_out) = fans(&tensor.shape);
    let name = tensor.name.as_str();
    if name.ends_with("lambda_step") {
        tensor.values.fill(RHO);
    } else if name.ends_with("soft_thr") {
        tensor.values.fill(THETA / config.intensity_scale);
    } else if name.starts_with("fcs.") {
        normal(tensor, (2.0 / (fan_in + fan_out)).sqrt(), rng);
    } else if name.contains("conv_offset") || zero_bias(name) {
        tensor.values.fill(0.0);
    } else if name.contains("feat_extract") || name.contains("tail_conv.0") {
        normal(tensor, (2.0 / fan_out).sqrt(), rng);
    } else if name.contains("tail_conv.1") {
        normal(tensor, 0.1 * (2.0 / fan_in).sqrt(), rng);
    } else if name.contains("align_") {
        uniform(tensor, (6.0 / fan_in).sqrt(), rng);
    } else {
        let inputs = if name.ends_with(".bias") {
            bias_fan_in(name, config)
        } else {
            fan_in
        };
        uniform(tensor, 1.0 / inputs.sqrt(), rng);
    }
}

/// Inputs and outputs of one unit, kernel area included.
fn fans(shape: &[usize]) -> (f64, f64) {
    let area: usize = shape.iter().skip(2).product();
    let inputs = shape.get(1).copied().unwrap_or(1);
    ((inputs * area) as f64, (shape[0] * area) as f64)
}

fn zero_bias(name: &str) -> bool {
    name.ends_with(".bias")
        && ["feat_extract", "tail_conv."]
            .iter()
            .any(|layer| name.contains(layer))
}

/// Inputs of the layer that a uniformly drawn bias belongs to.
fn bias_fan_in(name: &str, config: &ModelConfig) -> f64 {
    let weight = name.replace(".bias", ".weight");
    let layers = Parameters::zeros(config);
    layers.get(&weight).map_or(1.0, |w| fans(&w.shape).0)
}

fn normal(tensor: &mut Parameter, deviation: f64, rng: &mut Rng) {
    for value in &mut tensor.values {
        *value = (deviation * rng.gaussian()) as f32;
    }
}

fn uniform(tensor: &mut Parameter, bound: f64, rng: &mut Rng) {
    for value in &mut tensor.values {
        *value = rng.range(-bound, bound) as f32;
    }
}
