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
    /// How far values and moments may be off where every gradient, as a sum of f32, is rounded once.
    /// A step divides a first moment by the root of a second: where both are next to nothing, what the
    /// rounding of their gradients left of them decides.
    pub strayed: [Vec<f64>; 3],
}

impl Tensor {
    /// `value` with zero moments.
    pub fn new(value: Vec<f64>) -> Self {
        let zeros = vec![0.0; value.len()];
        Self {
            value,
            first: zeros.clone(),
            second: zeros.clone(),
            strayed: [zeros.clone(), zeros.clone(), zeros],
        }
    }

    /// Step number `t`, counted from 1.
    pub fn step(&mut self, config: &AdamConfig, rate: f32, t: i32, gradient: &[f64]) {
        let (beta1, beta2) = (f64::from(config.beta1), f64::from(config.beta2));
        let decay = f64::from(config.weight_decay);
        for (k, gradient) in gradient.iter().enumerate() {
            let g = gradient + decay * self.value[k];
            let [value, first, second] = &mut self.strayed;
            let rounded =
                f64::from(f32::EPSILON) * (gradient.abs() + (decay * self.value[k]).abs());
            let off = rounded + decay * value[k];
            first[k] = beta1 * first[k] + (1.0 - beta1) * off;
            second[k] = beta2 * second[k] + (1.0 - beta2) * off * (2.0 * g.abs() + off);
            self.first[k] = beta1 * self.first[k] + (1.0 - beta1) * g;
            self.second[k] = beta2 * self.second[k] + (1.0 - beta2) * g * g;
            let m = self.first[k] / (1.0 - beta1.powi(t));
            let v = self.second[k] / (1.0 - beta2.powi(t));
            let root = v.sqrt() + f64::from(config.epsilon);
            self.value[k] -= f64::from(rate) * m / root;
            // By the first derivatives of m / root.
            let (m_off, v_off) = (
                first[k] / (1.0 - beta1.powi(t)),
                second[k] / (1.0 - beta2.powi(t)),
            );
            let root_off = v_off / (v.sqrt() + root);
            value[k] += f64::from(rate) * (m_off + m.abs() * root_off / root) / root;
        }
    }
}
