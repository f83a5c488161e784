//! The training loss `β · constraint + γ · align + ζ · regression` (SeqCSIST, Eq. 22–25).

use derefnet_core::physics::MAP_LEN;
use serde::{Deserialize, Serialize};

use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::model::Graph;
use crate::ops::{AbsoluteError, Gather, SquaredError, WeightedSum};
use crate::{Error, Result};

/// Which reading of the three terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LossVariant {
    /// The paper's: means over all values; alignment towards the position-coded centre map. The
    /// paper's alignment norm is a sum over cells; here it is their mean, as its weight suggests.
    Paper,
    /// The released code's: alignment summed over windows, neighbours and cells, towards the centre
    /// map before the position code; regression summed over windows. Per trajectory, and without
    /// the doubling by which that code's framework adds terms twice: only weight decay and Adam's
    /// epsilon could tell.
    Released,
}

/// Weights of the loss, as for maps in counts; the whole loss is that one divided by the square of
/// the network's intensity scale, and Adam's constants with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// How the terms are normalised.
    pub variant: LossVariant,
    /// `β`, of the mean square of the symmetric residuals, summed over stages.
    pub constraint: f32,
    /// `γ`, of the distance between aligned maps and centre map.
    pub align: f32,
    /// `ζ`, of the squared distance to the label map.
    pub regression: f32,
    /// Share of its intensity by which the label of a target at its cell's centre exceeds that of one
    /// in the corner, 0 to 1; see [`ranked_label_map`](crate::scene::ranked_label_map). 0, the
    /// default and the published labels, says nothing of the place.
    #[serde(default)]
    pub centerness: f32,
}

impl LossConfig {
    /// Published weights of a variant: 0.01, 0.01, 1 (Table 1, group A), or the code's 0.1, 0.1, 1.
    pub fn published(variant: LossVariant) -> Self {
        let small = match variant {
            LossVariant::Paper => 0.01,
            LossVariant::Released => 0.1,
        };
        Self {
            variant,
            constraint: small,
            align: small,
            regression: 1.0,
            centerness: 0.0,
        }
    }

    /// Checks the weights and the labels.
    ///
    /// # Errors
    /// If a weight is negative or not finite, the regression weight is zero, or the centerness
    /// lies outside 0 to 1.
    pub fn validate(&self) -> Result<()> {
        let weights = [
            ("constraint", self.constraint),
            ("align", self.align),
            ("regression", self.regression),
        ];
        for (name, weight) in weights {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(Error::usage(format!(
                    "loss.{name} is {weight}, expected 0 or more"
                )));
            }
        }
        if self.regression == 0.0 {
            return Err(Error::usage(
                "loss.regression is 0, expected a positive weight",
            ));
        }
        if !(0.0..=1.0).contains(&self.centerness) {
            return Err(Error::usage(format!(
                "loss.centerness is {}, expected 0..=1",
                self.centerness
            )));
        }
        Ok(())
    }
}

/// The loss on a tape, with its unweighted terms.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Weighted sum: the root of the backward pass.
    pub total: Var,
    /// Mean square of the symmetric residual of each stage; empty where its weight is zero.
    pub constraint: Vec<Var>,
    /// Alignment term; `None` where its weight is zero.
    pub align: Option<Var>,
    /// Regression term.
    pub regression: Var,
}

impl Losses {
    /// Records the loss of `graph` against `labels (windows, 1089)`, in the network's units, for
    /// `trajectories` trajectories.
    ///
    /// # Panics
    /// If `graph` has no symmetric residuals though `config.constraint` is positive.
    pub fn record<B: Backend>(
        tape: &mut Tape<'_, B>,
        graph: &Graph,
        labels: Var,
        trajectories: usize,
        config: &LossConfig,
    ) -> Self {
        let windows = graph.centre_frames.len();
        let len = windows * MAP_LEN;
        let output = graph.output.unwrap_or(labels);
        let scale = match config.variant {
            LossVariant::Paper => 1.0 / len as f32,
            LossVariant::Released => 1.0 / (MAP_LEN * trajectories) as f32,
        };
        let regression = tape.apply(SquaredError { len, scale }, &[output, labels]);
        let mut terms = vec![regression];
        let mut weights = vec![config.regression];
        let constraint = constraint(tape, graph, config);
        terms.extend(&constraint);
        weights.extend(vec![config.constraint; constraint.len()]);
        let align = align(tape, graph, trajectories, config);
        terms.extend(align);
        // An absolute error grows with the unit where squares grow with its square.
        weights.extend(align.map(|_| config.align / graph.unit));
        let total = tape.apply(WeightedSum { weights }, &terms);
        Self {
            total,
            constraint,
            align,
            regression,
        }
    }
}

fn constraint<B: Backend>(tape: &mut Tape<'_, B>, graph: &Graph, config: &LossConfig) -> Vec<Var> {
    if config.constraint == 0.0 {
        return Vec::new();
    }
    assert_eq!(
        graph.symmetric.len(),
        graph.stages.len(),
        "symmetric branch missing"
    );
    let terms = graph.symmetric.iter();
    terms
        .map(|&residual| {
            let len = tape.len_of(residual);
            tape.apply(
                SquaredError {
                    len,
                    scale: 1.0 / len as f32,
                },
                &[residual],
            )
        })
        .collect()
}

fn align<B: Backend>(
    tape: &mut Tape<'_, B>,
    graph: &Graph,
    trajectories: usize,
    config: &LossConfig,
) -> Option<Var> {
    let (aligned, coded, last) = (graph.aligned?, graph.coded?, *graph.stages.last()?);
    if config.align == 0.0 {
        return None;
    }
    let (source, index) = match config.variant {
        LossVariant::Paper => (coded, &graph.centres),
        LossVariant::Released => (last, &graph.centre_frames),
    };
    let index: Vec<usize> = index.iter().flat_map(|&i| [i; 4]).collect();
    let len = index.len() * MAP_LEN;
    let scale = match config.variant {
        LossVariant::Paper => 1.0 / len as f32,
        LossVariant::Released => 1.0 / trajectories as f32,
    };
    let sources = tape.len_of(source) / MAP_LEN;
    let centre = tape.apply(
        Gather {
            index,
            sources,
            item: MAP_LEN,
        },
        &[source],
    );
    Some(tape.apply(AbsoluteError { len, scale }, &[aligned, centre]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;

    /// Windows, trajectories and frames of the small graph below.
    const WINDOWS: usize = 4;
    const TRAJECTORIES: usize = 2;
    const FRAMES: usize = 12;

    /// Values that differ from map to map and cell to cell, in ±1.
    fn maps(count: usize, seed: usize) -> Vec<f32> {
        let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        (0..count * MAP_LEN).map(value).collect()
    }

    /// Counts per unit of the maps.
    const UNIT: f32 = 50.0;

    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        let all: Vec<f64> = values.collect();
        all.iter().sum::<f64>() / all.len() as f64
    }

    /// The three terms of `config` on made-up maps, and the same by the equations in f64.
    fn both(config: &LossConfig) -> ([f64; 4], [f64; 3]) {
        let [output, labels] = [1, 2].map(|seed| maps(WINDOWS, seed));
        let [first, second] = [3, 4].map(|seed| maps(FRAMES, seed));
        let (stage, coded, aligned) = (maps(FRAMES, 5), maps(WINDOWS, 6), maps(4 * WINDOWS, 7));
        let centre_frames = vec![2, 3, 8, 9];
        let backend = Cpu::new();
        let mut tape = Tape::new(&backend);
        let mut constant = |values: &[f32]| tape.constant(values);
        let stages = vec![constant(&first), constant(&stage)];
        let graph = Graph {
            unit: UNIT,
            stages,
            symmetric: vec![constant(&first), constant(&second)],
            coded: Some(constant(&coded)),
            centres: (0..WINDOWS).collect(),
            centre_frames: centre_frames.clone(),
            aligned: Some(constant(&aligned)),
            output: Some(constant(&output)),
            ..Graph::default()
        };
        let target = constant(&labels);
        let losses = Losses::record(&mut tape, &graph, target, TRAJECTORIES, config);
        let scalar = |var| f64::from(tape.value(var)[0]);
        let constraint = losses.constraint.iter().map(|&v| scalar(v)).sum();
        let align = losses.align.map_or(0.0, scalar);
        let ours = [
            scalar(losses.total),
            constraint,
            align,
            scalar(losses.regression),
        ];

        let square = |v: f64| v * v;
        let pairs = output.iter().zip(&labels);
        let regression = mean(pairs.map(|(a, b)| square(f64::from(a - b))));
        let power = |m: &[f32]| mean(m.iter().map(|&v| square(f64::from(v))));
        let distance = (0..4 * WINDOWS).flat_map(|pair| {
            let (source, at) = match config.variant {
                LossVariant::Paper => (&coded, pair / 4),
                LossVariant::Released => (&stage, centre_frames[pair / 4]),
            };
            let centre = &source[at * MAP_LEN..(at + 1) * MAP_LEN];
            let ours = &aligned[pair * MAP_LEN..(pair + 1) * MAP_LEN];
            let both = ours.iter().zip(centre);
            both.map(|(a, b)| f64::from((a - b).abs()))
                .collect::<Vec<_>>()
        });
        (
            ours,
            [power(&first) + power(&second), mean(distance), regression],
        )
    }

    fn close(got: f64, expected: f64) {
        assert!(
            (got / expected - 1.0).abs() < 1e-5,
            "{got}, expected {expected}"
        );
    }

    #[test]
    fn paper_takes_means() {
        let config = LossConfig {
            constraint: 0.5,
            align: 0.25,
            ..LossConfig::published(LossVariant::Paper)
        };
        let (ours, [constraint, align, regression]) = both(&config);
        close(ours[1], constraint);
        close(ours[2], align);
        close(ours[3], regression);
        let align = align / f64::from(UNIT);
        close(ours[0], 0.5 * constraint + 0.25 * align + regression);
    }

    /// Sums over windows, neighbours and cells (alignment) and over windows (regression), per
    /// trajectory.
    #[test]
    fn released_takes_sums() {
        let config = LossConfig::published(LossVariant::Released);
        let (ours, [constraint, align, regression]) = both(&config);
        let align = align * (4 * WINDOWS * MAP_LEN / TRAJECTORIES) as f64;
        let regression = regression * (WINDOWS / TRAJECTORIES) as f64;
        close(ours[1], constraint);
        close(ours[2], align);
        close(ours[3], regression);
        let align = align / f64::from(UNIT);
        close(ours[0], 0.1 * (constraint + align) + regression);
    }

    #[test]
    fn terms_without_weight_are_left_out() {
        let config = LossConfig {
            constraint: 0.0,
            align: 0.0,
            ..LossConfig::published(LossVariant::Paper)
        };
        let (ours, [_, _, regression]) = both(&config);
        assert_eq!(ours[1..3], [0.0, 0.0]);
        close(ours[0], regression);
    }
}
