//! Training steps on a golden sequence.

use super::RATE;
use crate::autograd::{Gradients, Tape, Var};
use crate::backend::Backend;
use crate::model::{DeRefNet, Frames, Graph, Trained};
use crate::train::{Adam, AdamConfig, LossConfig, LossVariant, Losses, Optimiser};

/// Parameters on their way.
pub(super) struct Trial<'a, B: Backend> {
    backend: &'a B,
    network: &'a DeRefNet,
    frames: &'a Frames,
    labels: &'a [f32],
    pub(super) values: Vec<B::Buffer>,
    adam: Optimiser<B>,
}

impl<'a, B: Backend> Trial<'a, B> {
    pub(super) fn new(
        backend: &'a B,
        network: &'a DeRefNet,
        frames: &'a Frames,
        labels: &'a [f32],
        decay: f32,
    ) -> Self {
        let tensors = network.parameters.tensors.iter();
        let lengths = tensors.clone().map(|t| t.values.len());
        let values = tensors.map(|t| backend.upload(&t.values)).collect();
        let config = AdamConfig {
            weight_decay: decay,
            ..AdamConfig::default()
        };
        let adam = Optimiser::new(backend, &Adam::new(config, lengths));
        Self {
            backend,
            network,
            frames,
            labels,
            values,
            adam,
        }
    }

    /// One step; `watch` sees the forward pass and the gradients that it asked to keep. Returns the
    /// loss before the step and the parameters' gradients.
    pub(super) fn step(
        &mut self,
        mut watch: impl FnMut(Stage<'_, '_, B>),
    ) -> (f32, Vec<Option<B::Buffer>>) {
        let backend = self.backend;
        let grads = {
            let mut tape = Tape::new(backend);
            let leaves = self.network.leaves(&mut tape, &self.values, Trained::Map);
            let net = self.network;
            let graph = net.forward(&mut tape, &leaves, self.frames, true);
            let labels = tape.constant(self.labels);
            let loss = LossConfig::published(LossVariant::Released);
            let losses = Losses::record(&mut tape, &graph, labels, 1, &loss);
            let total = tape.download(losses.total)[0];
            watch(Stage::Forward(&tape, &graph, &losses));
            let pairs = graph.pair.iter().map(|p| p.1);
            let keep: Vec<Var> = graph.stages.iter().copied().chain(pairs).collect();
            let mut grads = tape.backward(losses.total, &keep);
            watch(Stage::Backward(&graph, &mut grads));
            let parameters = leaves.iter().map(|&leaf| grads.take(leaf));
            (total, parameters.collect::<Vec<_>>())
        };
        self.adam.step(
            backend,
            &vec![RATE; self.values.len()],
            &mut self.values,
            &grads.1,
        );
        grads
    }
}

/// A moment of a step.
pub(super) enum Stage<'s, 't, B: Backend> {
    Forward(&'s Tape<'t, B>, &'s Graph, &'s Losses),
    Backward(&'s Graph, &'s mut Gradients<B>),
}
