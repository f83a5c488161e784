//! One optimisation step of either objective.

use super::config::Objective;
use super::drive::Training;
use super::pool::Windows;
use super::run::{Run, StepLosses};
use super::{Losses, average};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::eval::network::{batch, centres};
use crate::model::{Frames, Trained};
use crate::ops::OffsetLikelihood;
use crate::scene::{Trajectory, ranked_label_map};
use crate::{Error, Result};

/// A loss, its terms, and one gradient per parameter.
type Gradients<B> = (StepLosses, Vec<Option<<B as Backend>::Buffer>>);

/// Terms of the loss on a tape.
struct Terms {
    total: Var,
    constraint: Vec<Var>,
    align: Option<Var>,
    regression: Var,
}

impl<B: Backend> Run<B> {
    /// One optimisation step.
    pub(super) fn advance(&mut self) -> Result<StepLosses> {
        let step = self.state.step;
        let (own, items) = match self.state.config.objective {
            Objective::Map => {
                let config = &self.state.config;
                let share = self.ranks.share(config.batch);
                let trajectories = self.source.of_step(step, config, &share);
                let trajectories: Vec<_> = trajectories.into_iter().map(|(_, t)| t).collect();
                let frames = batch(&trajectories);
                let backend = &self.backend;
                let own = backend.pass(|| self.map_gradients(&frames, &trajectories));
                (own, trajectories.len())
            }
            Objective::Offsets => {
                let windows = self.pool.windows(step, &self.source, &self.state.config);
                let items = windows.targets.len();
                (self.backend.pass(|| self.head_gradients(windows)), items)
            }
        };
        let (report, mut grads) = self.together(own, items);
        if !report.total.is_finite() {
            let failed = Error::CheckFailed(format!(
                "the loss of step {} is {}; the last checkpoint is kept; try a lower schedule.rate",
                self.state.step + 1,
                report.total
            ));
            return self.ranks.agree(Err(failed));
        }
        let limit = self.state.config.clip_norm;
        if limit > 0.0 {
            let mut grads: Vec<&mut B::Buffer> = grads.iter_mut().flatten().collect();
            self.backend.clip(&mut grads, limit);
        }
        let rate = self.pace().rate();
        let rates: Vec<f32> = self.rates.iter().map(|r| r * rate).collect();
        self.optimiser
            .step(&self.backend, &rates, &mut self.values, &grads);
        for grad in grads.into_iter().flatten() {
            self.backend.recycle(grad);
        }
        if let Some(average) = &mut self.average {
            let kept = average::kept(self.state.config.ema, self.state.step);
            self.backend.follow(average, &self.values, kept);
        }
        self.state.step += 1;
        Ok(report)
    }

    /// Losses and gradients of the whole batch, of which this rank's `own` are means over `items`.
    fn together(&self, own: Gradients<B>, items: usize) -> Gradients<B> {
        if self.ranks.count() == 1 {
            return own;
        }
        let (losses, mut grads) = own;
        let backend = &self.backend;
        let present: Vec<&B::Buffer> = grads.iter().flatten().collect();
        let copies = backend.finish_download(backend.start_download(&present));
        let mut values = copies.concat();
        values.extend(losses.values());
        self.ranks.average(&mut values, items as f32);
        let mut from = 0;
        for (grad, copy) in grads.iter_mut().flatten().zip(&copies) {
            let mean = backend.upload(&values[from..from + copy.len()]);
            backend.recycle(std::mem::replace(grad, mean));
            from += copy.len();
        }
        let mut all = losses.values();
        all.copy_from_slice(&values[from..]);
        (StepLosses::from_values(all), grads)
    }

    /// Of the loss of the maps against the label maps.
    fn map_gradients(&self, frames: &Frames, trajectories: &[Trajectory]) -> Gradients<B> {
        let (config, network) = (&self.state.config, &self.state.network);
        let scale = 1.0 / config.model.intensity_scale;
        let truth = trajectories.iter().flat_map(centres);
        let centerness = f64::from(config.loss.centerness);
        let labels = truth.flat_map(|truth| ranked_label_map(truth, centerness));
        let labels: Vec<f32> = labels.map(|v| v * scale).collect();
        let mut tape = Tape::new(&self.backend);
        let leaves = network.leaves(&mut tape, &self.values, Trained::Map);
        let symmetric = config.loss.constraint > 0.0;
        let graph = network.forward(&mut tape, &leaves, frames, symmetric);
        let labels = tape.constant(&labels);
        let losses = Losses::record(&mut tape, &graph, labels, trajectories.len(), &config.loss);
        let terms = Terms {
            total: losses.total,
            constraint: losses.constraint,
            align: losses.align,
            regression: losses.regression,
        };
        gradients(&self.backend, tape, &terms, &leaves)
    }

    /// Of the likelihood of the targets under the offset head; the network up to the map stays.
    fn head_gradients(&self, windows: Windows) -> Gradients<B> {
        let network = &self.state.network;
        let Windows { frames, targets } = windows;
        let mut tape = Tape::new(&self.backend);
        let leaves = network.leaves(&mut tape, &self.values, Trained::Head);
        let answer = network.answer(&mut tape, &leaves, &frames);
        // A configuration of this objective without a head is refused.
        let Some(answer) = answer else {
            return (StepLosses::default(), Vec::new());
        };
        let loss = tape.apply(OffsetLikelihood { targets }, &[answer]);
        let terms = Terms {
            total: loss,
            constraint: Vec::new(),
            align: None,
            regression: loss,
        };
        gradients(&self.backend, tape, &terms, &leaves)
    }
}

/// Values of the terms, and gradients of the total by the leaves. The values are on their way to
/// the host while the backward pass begins.
fn gradients<B: Backend>(
    backend: &B,
    mut tape: Tape<'_, B>,
    terms: &Terms,
    leaves: &[Var],
) -> Gradients<B> {
    let mut vars = vec![terms.total, terms.regression];
    vars.extend(terms.align);
    vars.extend(&terms.constraint);
    let buffers: Vec<&B::Buffer> = vars.iter().map(|&var| tape.value(var)).collect();
    let pending = backend.start_download(&buffers);
    let mut gradients = tape.backward(terms.total, &[]);
    let gradients = leaves.iter().map(|&leaf| gradients.take(leaf)).collect();
    let values = backend.finish_download(pending).concat();
    let (total, regression) = (values[0], values[1]);
    let align = terms.align.map_or(0.0, |_| values[2]);
    let constraint = &values[2 + usize::from(terms.align.is_some())..];
    let report = StepLosses {
        total,
        constraint: constraint.iter().sum(),
        align,
        regression,
    };
    (report, gradients)
}
