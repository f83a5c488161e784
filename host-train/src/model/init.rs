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
/// layers and the remaining biases start at zero. The offset head's layers: see the code.
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
    if name.starts_with("head.") {
        fill_head(tensor, rng);
    } else if name.ends_with("lambda_step") {
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

/// Layers before a ReLU are normal with variance 2/fan_in, residual blocks' a tenth of that, the
/// output layer's uniform in ±0.1/√fan_in. Its biases expect a handful of targets on the whole map,
/// each somewhere in its cell and of 235 counts at 100 a unit; all others are zero.
fn fill_head(tensor: &mut Parameter, rng: &mut Rng) {
    let (fan_in, _) = fans(&tensor.shape);
    let name = tensor.name.as_str();
    if name == "head.output.bias" {
        let expected = [-5.5, 0.0, 0.0, 1.0, 1.0, 2.35, 0.0];
        let cells = tensor.values.chunks_exact_mut(expected.len());
        cells.for_each(|cell| cell.copy_from_slice(&expected));
    } else if name.ends_with(".bias") {
        tensor.values.fill(0.0);
    } else if name == "head.output.weight" {
        uniform(tensor, 0.1 / fan_in.sqrt(), rng);
    } else {
        let share = if name.contains(".blocks.") { 0.1 } else { 1.0 };
        normal(tensor, share * (2.0 / fan_in).sqrt(), rng);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Preset};

    fn paper(seed: u64) -> Parameters {
        initialise(&ModelConfig::preset(Preset::Paper), seed)
    }

    /// Mean, standard deviation and largest magnitude.
    fn moments(values: &[f32]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let square = |&v: &f32| (f64::from(v) - mean).powi(2);
        let variance = values.iter().map(square).sum::<f64>() / n;
        let largest = values
            .iter()
            .map(|v| f64::from(v.abs()))
            .fold(0.0, f64::max);
        (mean, variance.sqrt(), largest)
    }

    /// Five standard errors of a sample of this size: chance fails such a bound once in millions.
    fn assert_spread(values: &[f32], deviation: f64, kurtosis: f64) {
        let (mean, found, _) = moments(values);
        let n = values.len() as f64;
        assert!(mean.abs() < 5.0 * deviation / n.sqrt(), "mean {mean}");
        let error = 5.0 * ((kurtosis - 1.0) / (4.0 * n)).sqrt();
        assert!(
            (found / deviation - 1.0).abs() < error,
            "{found}, expected {deviation}"
        );
    }

    fn assert_normal(parameters: &Parameters, name: &str, deviation: f64) {
        let values = &parameters.get(name).unwrap().values;
        assert_spread(values, deviation, 3.0);
        // A uniform draw of the same deviation ends at 1.73 of it.
        let beyond = values
            .iter()
            .filter(|v| f64::from(v.abs()) > 2.0 * deviation);
        assert!(beyond.count() > 0, "{name} has no tails");
    }

    fn assert_uniform(parameters: &Parameters, name: &str, bound: f64) {
        let values = &parameters.get(name).unwrap().values;
        assert_spread(values, bound / 3f64.sqrt(), 1.8);
        let (_, _, largest) = moments(values);
        assert!(
            largest <= bound && largest > 0.8 * bound,
            "{name}: {largest}"
        );
    }

    #[test]
    fn each_layer_group_has_its_distribution() {
        let all = paper(1);
        assert_normal(&all, "fcs.0.conv2_forward", (2.0 / 576.0_f64).sqrt());
        assert_normal(
            &all,
            "fcs.8.conv1_forward",
            (2.0 / (9.0 + 288.0_f64)).sqrt(),
        );
        assert_normal(
            &all,
            "fcs.3.conv2_backward",
            (2.0 / (9.0 + 288.0_f64)).sqrt(),
        );
        assert_normal(
            &all,
            "TDDA.feat_extract.0.conv.weight",
            (2.0 / 288.0_f64).sqrt(),
        );
        assert_normal(
            &all,
            "TDDA.tail_conv.0.conv.weight",
            (2.0 / 288.0_f64).sqrt(),
        );
        assert_normal(
            &all,
            "TDDA.tail_conv.1.4.conv2.weight",
            0.1 * (2.0 / 288.0_f64).sqrt(),
        );
        assert_uniform(&all, "TDDA.align_1.weight", (6.0 / 288.0_f64).sqrt());
        assert_uniform(&all, "TDDA.mlp.weight", 1.0 / 33.0);
        assert_uniform(&all, "TDDA.mlp.bias", 1.0 / 33.0);
        assert_uniform(
            &all,
            "TDDA.feat_aggregate.conv0_s.weight",
            1.0 / 32.0_f64.sqrt(),
        );
        assert_uniform(
            &all,
            "TDDA.feat_aggregate.conv0_s.bias",
            1.0 / 32.0_f64.sqrt(),
        );
        assert_uniform(
            &all,
            "TDDA.feat_aggregate.conv_squeeze.weight",
            1.0 / 18.0_f64.sqrt(),
        );
        assert_uniform(&all, "TDDA.conv.weight", 1.0 / 288.0_f64.sqrt());
        assert_uniform(&all, "TDDA.tail_conv.2.weight", 1.0 / 288.0_f64.sqrt());
    }

    #[test]
    fn constants() {
        let all = paper(1);
        let only = |name: &str, value: f32| {
            let tensor = all.get(name).unwrap();
            assert!(tensor.values.iter().all(|&v| v == value), "{name}");
        };
        only("fcs.0.lambda_step", 0.1);
        only("fcs.8.soft_thr", 1e-4);
        for name in [
            "align_1.conv_offset.weight",
            "align_2.conv_offset.bias",
            "feat_extract.0.conv.bias",
            "tail_conv.0.conv.bias",
            "tail_conv.1.0.conv1.bias",
        ] {
            only(&format!("TDDA.{name}"), 0.0);
        }
    }

    #[test]
    fn seeds_and_tensors_have_their_own_streams() {
        let (one, same, other) = (paper(1), paper(1), paper(2));
        assert_eq!(one, same);
        let weight = |p: &Parameters, name: &str| p.get(name).unwrap().values.clone();
        let name = "fcs.0.conv2_forward";
        assert_ne!(weight(&one, name), weight(&other, name));
        assert_ne!(weight(&one, name), weight(&one, "fcs.1.conv2_forward"));
    }
}
