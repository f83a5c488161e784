//! One optimisation step of either objective.

use super::adam::clip;
use super::config::Objective;
use super::pool::Windows;
use super::run::{Run, StepLosses};
use super::{Losses, average};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::backend::cpu::{Buffer, Cpu};
use crate::eval::network::{batch, centres};
use crate::model::{Frames, Trained};
use crate::ops::OffsetLikelihood;
use crate::scene::{Trajectory, ranked_label_map};
use crate::{Error, Result};

/// A loss, its terms, and one gradient per parameter.
type Gradients = (StepLosses, Vec<Option<Buffer>>);

impl Run {
    /// One optimisation step.
    pub(super) fn advance(&mut self) -> Result<StepLosses> {
        let step = self.state.step;
        let (report, mut grads) = match self.state.config.objective {
            Objective::Map => {
                let trajectories = self.source.of_step(self.state.step, &self.state.config);
                let frames = batch(&trajectories);
                let backend = &self.backend;
                backend.pass(|| self.map_gradients(&frames, &trajectories))
            }
            Objective::Offsets => {
                let windows = self.pool.windows(step, &self.source, &self.state.config);
                self.backend.pass(|| self.head_gradients(windows))
            }
        };
        if !report.total.is_finite() {
            return Err(Error::CheckFailed(format!(
                "the loss of step {} is {}; the last checkpoint is kept; try a lower schedule.rate",
                self.state.step + 1,
                report.total
            )));
        }
        clip(&mut grads, self.state.config.clip_norm);
        let rate = self.rate(self.state.step);
        let rates: Vec<f32> = self.rates.iter().map(|r| r * rate).collect();
        self.state.adam.step(&rates, &mut self.values, &grads);
        for grad in grads.into_iter().flatten() {
            self.backend.recycle(grad);
        }
        if let Some(average) = &mut self.state.average {
            let kept = average::kept(self.state.config.ema, self.state.step);
            average::follow(average, &self.values, kept);
        }
        self.state.step += 1;
        Ok(report)
    }

    /// Of the loss of the maps against the label maps.
    fn map_gradients(&self, frames: &Frames, trajectories: &[Trajectory]) -> Gradients {
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
        let scalar = |var| tape.value(var)[0];
        let report = StepLosses {
            total: scalar(losses.total),
            constraint: losses.constraint.iter().map(|&v| scalar(v)).sum(),
            align: losses.align.map_or(0.0, scalar),
            regression: scalar(losses.regression),
        };
        (report, gradients(tape, losses.total, &leaves))
    }

    /// Of the likelihood of the targets under the offset head; the network up to the map stays.
    fn head_gradients(&self, windows: Windows) -> Gradients {
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
        let total = tape.value(loss)[0];
        let report = StepLosses {
            total,
            regression: total,
            ..StepLosses::default()
        };
        (report, gradients(tape, loss, &leaves))
    }
}

/// Gradients of `loss` by the leaves.
fn gradients(mut tape: Tape<'_, Cpu>, loss: Var, leaves: &[Var]) -> Vec<Option<Buffer>> {
    let mut gradients = tape.backward(loss, &[]);
    leaves.iter().map(|&leaf| gradients.take(leaf)).collect()
}
