//! Adam with coupled L2 (Kingma and Ba 2015; weight decay is added to the gradient).
//!
//! Deviation: parameters and moments of negligible size become zero.

use serde::{Deserialize, Serialize};

use crate::backend::Backend;

/// Constants of Adam, in the units of the loss that it descends; the learning rate comes with every
/// step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay of the first moment, default 0.9.
    pub beta1: f32,
    /// Decay of the second moment, default 0.999.
    pub beta2: f32,
    /// Added to the root of the second moment, default 1e-8.
    pub epsilon: f32,
    /// Times the parameter, added to its gradient; published 1e-5.
    pub weight_decay: f32,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 1e-5,
        }
    }
}

/// Moments of every parameter, and the steps taken, as checkpoints hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Constants.
    pub config: AdamConfig,
    /// Steps taken.
    pub steps: u64,
    /// First moments, one buffer per parameter.
    pub first: Vec<Vec<f32>>,
    /// Second moments, one buffer per parameter.
    pub second: Vec<Vec<f32>>,
}

/// Magnitude below which a parameter becomes zero. L2 drives the weights of a dead channel towards
/// zero without end, and their products with small gradients end among the subnormal numbers, on
/// which arithmetic is a hundred times slower. Beside weights of 1e-3 and more a term of 1e-12 is
/// lost in rounding, and a live weight that crosses zero leaves it again with its next step, which
/// is a thousand times as long at the lowest rates in use (1e-5 / 1089).
pub(crate) const NEGLIGIBLE: f32 = 1e-12;

/// Magnitude below which a first moment becomes zero, and its square, below which a second moment
/// does, for the same reason. Both stand beside `epsilon`, at its usual 1e-8 / 100² still a million
/// times as large: what is lost is a millionth of a step.
pub(crate) const NEGLIGIBLE_MOMENT: f32 = 1e-18;

impl Adam {
    /// Zero moments for parameters of the given lengths.
    pub fn new(config: AdamConfig, lengths: impl Iterator<Item = usize> + Clone) -> Self {
        let zeros =
            |lengths: &mut dyn Iterator<Item = usize>| lengths.map(|n| vec![0.0; n]).collect();
        Self {
            config,
            steps: 0,
            first: zeros(&mut lengths.clone()),
            second: zeros(&mut lengths.clone()),
        }
    }
}

/// One step, with what all tensors share.
#[derive(Clone, Debug)]
pub struct AdamStep {
    /// Constants.
    pub config: AdamConfig,
    /// Steps taken, this one counted.
    pub steps: u64,
}

/// One tensor's part in a step.
pub struct AdamTensor<'a, B: Backend> {
    /// Learning rate.
    pub rate: f32,
    /// The parameter.
    pub value: &'a mut B::Buffer,
    /// Its gradient.
    pub gradient: &'a B::Buffer,
    /// First moment.
    pub first: &'a mut B::Buffer,
    /// Second moment.
    pub second: &'a mut B::Buffer,
}

impl AdamStep {
    fn correction(&self, beta: f32) -> f64 {
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        1.0 - f64::from(beta).powi(steps)
    }

    /// Root of the second moment's bias correction.
    pub fn root(&self) -> f32 {
        self.correction(self.config.beta2).sqrt() as f32
    }

    /// Rate over the first moment's bias correction.
    pub fn length(&self, rate: f32) -> f32 {
        (f64::from(rate) / self.correction(self.config.beta1)) as f32
    }
}

/// Adam at work: its moments lie where the parameters do.
pub struct Optimiser<B: Backend> {
    config: AdamConfig,
    steps: u64,
    first: Vec<B::Buffer>,
    second: Vec<B::Buffer>,
}

impl<B: Backend> Optimiser<B> {
    /// Goes on from `adam`.
    pub fn new(backend: &B, adam: &Adam) -> Self {
        let upload = |moments: &[Vec<f32>]| moments.iter().map(|m| backend.upload(m)).collect();
        Self {
            config: adam.config.clone(),
            steps: adam.steps,
            first: upload(&adam.first),
            second: upload(&adam.second),
        }
    }

    /// One step: moves `values[i]` along `grads[i]` at `rates[i]`; a missing gradient leaves its
    /// parameter as is.
    ///
    /// # Panics
    /// If lengths differ from those given at creation.
    pub fn step(
        &mut self,
        backend: &B,
        rates: &[f32],
        values: &mut [B::Buffer],
        grads: &[Option<B::Buffer>],
    ) {
        assert!(values.len() == self.first.len() && grads.len() == self.first.len());
        assert!(rates.len() == values.len());
        self.steps += 1;
        let moments = self.first.iter_mut().zip(&mut self.second);
        let tensors = values.iter_mut().zip(grads).zip(moments).zip(rates);
        let tensors = tensors.filter_map(|(((value, gradient), (first, second)), &rate)| {
            let gradient = gradient.as_ref()?;
            let len = backend.len(value);
            assert!(backend.len(gradient) == len && backend.len(first) == len);
            Some(AdamTensor {
                rate,
                value,
                gradient,
                first,
                second,
            })
        });
        let mut tensors: Vec<AdamTensor<'_, B>> = tensors.collect();
        let step = AdamStep {
            config: self.config.clone(),
            steps: self.steps,
        };
        backend.adam(&step, &mut tensors);
    }

    /// Copies the moments to `adam`.
    pub fn store(&self, backend: &B, adam: &mut Adam) {
        adam.steps = self.steps;
        adam.first = to_host(backend, &self.first);
        adam.second = to_host(backend, &self.second);
    }
}

/// The values of all buffers.
pub(crate) fn to_host<B: Backend>(backend: &B, buffers: &[B::Buffer]) -> Vec<Vec<f32>> {
    let buffers: Vec<&B::Buffer> = buffers.iter().collect();
    backend.finish_download(backend.start_download(&buffers))
}
