//! What quantisation costs, measured on the validation split.

use derefnet_core::locate::LocateConfig;
use derefnet_core::weights;
use serde::Serialize;

use crate::backend::cpu::Cpu;
use crate::cli::find::Finder;
use crate::cli::interrupt;
use crate::cli::model::Readout;
use crate::cli::progress::Progress;
use crate::dataset::Split;
use crate::eval::metric::evaluate;
use crate::eval::network::{Inference, Network};
use crate::model::DeRefNet;
use crate::quantize::Quantised;
use crate::scene::{SceneConfig, Trajectory, generate};
use crate::{Error, Result};

/// Most CSO-mAP that quantisation may cost, points.
const MOST_LOSS: f64 = 0.3;
/// Noise at which accuracy is measured, standard deviation in counts.
const LEVELS: [f64; 2] = [0.0, 5.0];

/// CSO-mAP before and after, per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// How targets were found.
    pub readout: &'static str,
    /// Of the network in floats.
    pub float: f64,
    /// Of the one in integers.
    pub quantised: f64,
}

/// Evaluates both on `limit` validation trajectories at each level of noise, by the map, then by the
/// head, as far as the one in integers has them.
pub fn measure(
    (network, backend): (&DeRefNet, &Cpu),
    quantised: &Quantised,
    limit: u64,
    seed: u64,
) -> Result<Vec<Accuracy>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let float = Inference::new(network, backend);
    let map = quantised.model().map.as_ref().map(|_| Readout::Grid);
    let head = quantised.head_unit().map(|_| Readout::Head);
    let readouts: Vec<Readout> = map.into_iter().chain(head).collect();
    let passes = 2 * (LEVELS.len() * readouts.len()) as u64;
    let progress = Progress::new("evaluating", "trajectories", passes * limit);
    let score = |network: &dyn Network, readout, trajectories: &[Trajectory]| -> Result<f64> {
        let finder = Finder::new(Some(network), readout, LocateConfig::SEQ_CSIST)?;
        let results = finder.results(trajectories, || {
            progress.advance(1);
            interrupt::check()
        })?;
        Ok(evaluate(&results)?.cso_map)
    };
    let mut all = Vec::new();
    for noise in LEVELS {
        let scene = SceneConfig {
            noise: [noise; 2],
            ..SceneConfig::default()
        };
        let one = |index| generate(&scene, seed, Split::Validation, index);
        let trajectories: Vec<Trajectory> = (0..limit).map(one).collect();
        for &readout in &readouts {
            all.push(Accuracy {
                noise,
                readout: readout.name(),
                float: score(&float, readout, &trajectories)?,
                quantised: score(quantised, readout, &trajectories)?,
            });
        }
    }
    Ok(all)
}

/// Refuses a loss of more than 0.3 points.
pub fn check(accuracy: &[Accuracy]) -> Result<()> {
    let lost = |a: &&Accuracy| a.float - a.quantised > MOST_LOSS;
    let Some(Accuracy {
        noise,
        readout,
        float,
        quantised,
    }) = accuracy.iter().find(lost)
    else {
        return Ok(());
    };
    Err(Error::CheckFailed(format!(
        "CSO-mAP of the {readout} readout at noise σ = {noise} falls from {float:.2} to \
         {quantised:.2}, by more than {MOST_LOSS}: nothing was written"
    )))
}

/// Figures of the map, or of the head where there is no map, as the file records them.
pub fn for_header(accuracy: &[Accuracy]) -> Option<[weights::Accuracy; 2]> {
    let readout = accuracy.first()?.readout;
    let recorded = accuracy.iter().filter(|a| a.readout == readout);
    let figures = recorded.map(|a| weights::Accuracy {
        noise: a.noise as f32,
        float: a.float as f32,
        quantised: a.quantised as f32,
    });
    let figures: Vec<weights::Accuracy> = figures.collect();
    figures.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accuracy(readout: Readout, noise: f64, quantised: f64) -> Accuracy {
        Accuracy {
            noise,
            readout: readout.name(),
            float: 50.0,
            quantised,
        }
    }

    #[test]
    fn losses_beyond_the_bound_are_refused_and_gains_are_not() {
        let with = |last| {
            [
                accuracy(Readout::Grid, 0.0, 51.0),
                accuracy(Readout::Head, 5.0, last),
            ]
        };
        check(&with(49.71)).unwrap();
        let refused = check(&with(49.69)).unwrap_err();
        assert_eq!(refused.exit_code(), 1);
        let text = refused.to_string();
        assert!(
            text.contains("head readout") && text.contains("σ = 5"),
            "{text}"
        );
    }

    #[test]
    fn the_file_records_the_map_or_else_the_head() {
        let all = [
            accuracy(Readout::Grid, 0.0, 49.9),
            accuracy(Readout::Head, 0.0, 49.8),
            accuracy(Readout::Grid, 5.0, 49.7),
            accuracy(Readout::Head, 5.0, 49.6),
        ];
        let of_file = for_header(&all).unwrap();
        assert_eq!(
            of_file.map(|a| (a.noise, a.quantised)),
            [(0.0, 49.9), (5.0, 49.7)]
        );
        let of_head = for_header(&[all[1], all[3]]).unwrap();
        assert_eq!(of_head.map(|a| a.quantised), [49.8, 49.6]);
        assert_eq!(for_header(&[]), None);
    }
}
