//! The training step that benchmarks measure.

use std::collections::BTreeMap;
use std::time::Instant;

use derefnet::Result;
use derefnet::autograd::{Cost, Tape};
use derefnet::backend::Backend;
use derefnet::backend::cpu::{Buffer, Cpu};
use derefnet::model::{ModelConfig, Trained};
use derefnet::train::{Adam, AdamConfig, LossConfig, LossVariant, Losses, Optimiser};

use crate::Example;

const RATE: f32 = 1e-4;

/// Time and work per kind of operator.
pub type Costs = BTreeMap<&'static str, Cost>;

/// What one step took.
pub struct StepTime {
    /// Seconds of the whole step.
    pub seconds: f64,
    /// Seconds of it in Adam.
    pub adam_seconds: f64,
    /// Operators' share.
    pub costs: Costs,
}

/// Training of the published network (nine stages, 32 channels, time within the trajectory): the
/// symmetric branch, the released loss, Adam.
pub struct Training {
    example: Example,
    values: Vec<Buffer>,
    adam: Optimiser<Cpu>,
}

impl Training {
    /// Fresh weights and `trajectories` trajectories of 20 frames a step.
    ///
    /// # Errors
    /// If `Q_init` cannot be computed.
    pub fn published(trajectories: u64) -> Result<Self> {
        let example = Example::new(ModelConfig::released(), trajectories)?;
        let tensors = example.network.parameters.tensors.iter();
        let values: Vec<Buffer> = tensors.map(|t| t.values.as_slice().into()).collect();
        let lengths = values.iter().map(|v| v.len());
        Ok(Self {
            adam: Optimiser::new(&Cpu::new(), &Adam::new(AdamConfig::default(), lengths)),
            example,
            values,
        })
    }

    /// One step on the worker pool of the calling thread.
    pub fn step(&mut self, cpu: &Cpu) -> StepTime {
        cpu.pass(|| self.step_on(cpu))
    }

    fn step_on(&mut self, cpu: &Cpu) -> StepTime {
        let started = Instant::now();
        let (grads, costs) = self.gradients(cpu);
        let before_adam = Instant::now();
        let rates = vec![RATE; self.values.len()];
        self.adam.step(cpu, &rates, &mut self.values, &grads);
        let adam_seconds = before_adam.elapsed().as_secs_f64();
        for grad in grads.into_iter().flatten() {
            cpu.recycle(grad);
        }
        StepTime {
            seconds: started.elapsed().as_secs_f64(),
            adam_seconds,
            costs,
        }
    }

    fn gradients(&self, cpu: &Cpu) -> (Vec<Option<Buffer>>, Costs) {
        let Example {
            network,
            frames,
            labels,
        } = &self.example;
        let mut tape = Tape::new(cpu);
        let leaves = network.leaves(&mut tape, &self.values, Trained::Map);
        let graph = network.forward(&mut tape, &leaves, frames, true);
        let labels = tape.constant(labels);
        let loss = LossConfig::published(LossVariant::Released);
        let losses = Losses::record(&mut tape, &graph, labels, frames.trajectories(), &loss);
        let mut grads = tape.backward(losses.total, &[]);
        let grads = leaves.iter().map(|&leaf| grads.take(leaf)).collect();
        (grads, tape.costs().clone())
    }
}
