//! One training step of a small network: the whole chain from frames to gradients.

use derefnet::autograd::Tape;
use derefnet::backend::Backend;
use derefnet::model::{
    DeRefNet, Frames, ModelConfig, Operators, TimeConvention, Trained, initialise,
};
use derefnet::train::{LossConfig, LossVariant, Losses};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use super::Draw;
use crate::oracle::network::Terms;

/// A small network, its frames and its labels, drawn.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Channels of the hidden maps.
    pub channels: usize,
    /// Trajectories in the batch.
    pub trajectories: usize,
    /// Frames per trajectory.
    pub length: usize,
    /// What the position code counts.
    pub time: TimeConvention,
    /// Which reading of the loss.
    pub variant: LossVariant,
    /// Of the values.
    pub seed: u64,
}

/// Results of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The loss and its terms.
    pub terms: Terms,
    /// One gradient per parameter tensor.
    pub gradients: Vec<Vec<f32>>,
}

/// Both time conventions with both losses.
pub fn all(channels: usize, trajectories: usize, length: usize) -> Vec<Problem> {
    let mut list = Vec::new();
    for time in [TimeConvention::Window, TimeConvention::Trajectory] {
        for variant in [LossVariant::Paper, LossVariant::Released] {
            list.push(Problem {
                channels,
                trajectories,
                length,
                time,
                variant,
                seed: 11,
            });
        }
    }
    list
}

impl Problem {
    /// Two stages and one residual block. Nothing is zero, lest a gradient be: offsets and
    /// biases, which start at zero, are drawn too. All offsets lie around 0.4 pixels: of 300,000
    /// sampled positions that met whole pixels a few would take another slope in f32 than in f64,
    /// which alone is a thousandth of a gradient. Stages keep the maps' size, which they would
    /// shrink a hundredfold at first.
    pub fn network(&self) -> DeRefNet {
        let config = ModelConfig {
            stages: 2,
            channels: self.channels,
            residual_blocks: 1,
            time: self.time,
            intensity_scale: 100.0,
            head: None,
        };
        let mut parameters = initialise(&config, self.seed);
        for (k, tensor) in parameters.tensors.iter_mut().enumerate() {
            if tensor.name.contains("_forward") || tensor.name.contains("_backward") {
                tensor.values.iter_mut().for_each(|v| *v *= 2.0);
            }
            if tensor.values.iter().all(|&v| v == 0.0) {
                let mut draw = Draw::new(self.seed, 1000 + k as u64);
                tensor.values = draw.normal(tensor.values.len(), 0.05);
            }
            if tensor.name.ends_with("conv_offset.weight") {
                tensor.values.iter_mut().for_each(|v| *v *= 0.02);
            }
            if tensor.name.ends_with("conv_offset.bias") {
                tensor.values.iter_mut().for_each(|v| *v += 0.4);
            }
        }
        let qinit = Draw::new(self.seed, 1).normal(MAP_LEN * FRAME_LEN, 0.05);
        DeRefNet {
            config,
            operators: Operators::new(qinit),
            parameters,
        }
    }

    /// Counts of the order of the targets'.
    pub fn frames(&self) -> Frames {
        let count = self.trajectories * self.length * FRAME_LEN;
        let counts = Draw::new(self.seed, 2).normal(count, 100.0);
        Frames {
            counts: counts.iter().map(|c| c.abs().round()).collect(),
            length: self.length,
        }
    }

    /// Label maps in the network's units, mostly zero.
    pub fn labels(&self) -> Vec<f32> {
        let mut draw = Draw::new(self.seed, 3);
        let cells = self.trajectories * self.frames().windows() * MAP_LEN;
        let label = |draw: &mut Draw| if draw.pick(200) == 0 { 2.3 } else { 0.0 };
        (0..cells).map(|_| label(&mut draw)).collect()
    }

    /// Weights by which every term counts.
    pub fn loss(&self) -> LossConfig {
        LossConfig {
            variant: self.variant,
            constraint: 0.003,
            align: match self.variant {
                LossVariant::Paper => 0.2,
                LossVariant::Released => 1e-4,
            },
            regression: 1.0,
            centerness: 0.0,
        }
    }

    /// Loss and gradients on a backend. All buffers are handed back.
    pub fn run<B: Backend>(&self, backend: &B) -> Step {
        let net = self.network();
        let tensors = net.parameters.tensors.iter();
        let values: Vec<B::Buffer> = tensors.map(|t| backend.upload(&t.values)).collect();
        let step = self.record(backend, &net, &values);
        for buffer in values {
            backend.recycle(buffer);
        }
        step
    }

    fn record<B: Backend>(&self, backend: &B, net: &DeRefNet, values: &[B::Buffer]) -> Step {
        let mut tape = Tape::new(backend);
        let leaves = net.leaves(&mut tape, values, Trained::Map);
        let graph = net.forward(&mut tape, &leaves, &self.frames(), true);
        let labels = tape.constant(&self.labels());
        let losses = Losses::record(&mut tape, &graph, labels, self.trajectories, &self.loss());
        let scalar = |var| f64::from(tape.download(var)[0]);
        let terms = Terms {
            total: scalar(losses.total),
            constraint: losses.constraint.iter().map(|&v| scalar(v)).collect(),
            align: losses.align.map_or(0.0, scalar),
            regression: scalar(losses.regression),
        };
        let mut grads = tape.backward(losses.total, &[]);
        let mut take = |leaf| {
            let buffer = grads.take(leaf)?;
            let gradient = backend.download(&buffer);
            backend.recycle(buffer);
            Some(gradient)
        };
        Step {
            terms,
            gradients: leaves
                .into_iter()
                .map(|v| take(v).unwrap_or_default())
                .collect(),
        }
    }
}
