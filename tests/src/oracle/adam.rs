//! Adam (Kingma and Ba 2015, Algorithm 1) with weight decay added to the gradient.

use derefnet::train::AdamConfig;

/// One parameter tensor and its moments.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Values.
    pub value: Vec<f64>,
    /// First moments.
    pub first: Vec<f64>,
    /// Second moments.
    pub second: Vec<f64>,
}

impl Tensor {
    /// `value` with zero moments.
    pub fn new(value: Vec<f64>) -> Self {
        let zeros = vec![0.0; value.len()];
        Self {
            value,
            first: zeros.clone(),
            second: zeros,
        }
    }

    /// Step number `t`, counted from 1.
    pub fn step(&mut self, config: &AdamConfig, rate: f32, t: i32, gradient: &[f64]) {
        let (beta1, beta2) = (f64::from(config.beta1), f64::from(config.beta2));
        for (k, gradient) in gradient.iter().enumerate() {
            let g = gradient + f64::from(config.weight_decay) * self.value[k];
            self.first[k] = beta1 * self.first[k] + (1.0 - beta1) * g;
            self.second[k] = beta2 * self.second[k] + (1.0 - beta2) * g * g;
            let m = self.first[k] / (1.0 - beta1.powi(t));
            let v = self.second[k] / (1.0 - beta2.powi(t));
            self.value[k] -= f64::from(rate) * m / (v.sqrt() + f64::from(config.epsilon));
        }
    }
}
