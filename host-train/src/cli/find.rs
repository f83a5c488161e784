//! Targets of a sequence by any readout, as commands print and draw them.

use derefnet_core::locate::{LocateConfig, Target};
use derefnet_core::metric::Detection;
use derefnet_core::physics::MAP_LEN;
use serde::Serialize;

use super::model::Readout;
use crate::eval::metric::FrameResult;
use crate::eval::network::{Network, grid_results, grid_sigma, read_grid};
use crate::eval::offgrid::{Localiser, frame_results};
use crate::plot::Mark;
use crate::scene::Trajectory;
use crate::{Error, Result};

/// One target found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Row, pixels.
    pub x: f64,
    /// Column, pixels.
    pub y: f64,
    /// Counts that a sensor without bounds would collect from it; the grid gives the map's value.
    pub intensity: f64,
    /// Standard deviation of the row, pixels; infinite (null in JSON) where a fit has none.
    pub sigma_x: f64,
    /// Standard deviation of the column, pixels; likewise.
    pub sigma_y: f64,
    /// Correlation of the errors of row and column.
    pub correlation: f64,
    /// Rank of the answer; larger is surer.
    pub score: f64,
}

impl Found {
    /// The same target in a frame whose pixel `origin` is the first here.
    pub fn moved(self, origin: [usize; 2]) -> Self {
        let [row, column] = origin.map(|pixels| pixels as f64);
        Self {
            x: self.x + row,
            y: self.y + column,
            ..self
        }
    }
}

impl From<&Target> for Found {
    fn from(target: &Target) -> Self {
        Self {
            x: target.x,
            y: target.y,
            intensity: target.intensity,
            sigma_x: target.sigma_x,
            sigma_y: target.sigma_y,
            correlation: target.correlation,
            score: target.score,
        }
    }
}

/// A cell of the map, which a target may lie anywhere in.
impl From<&Detection> for Found {
    fn from(cell: &Detection) -> Self {
        Self {
            x: cell.x,
            y: cell.y,
            intensity: cell.score,
            sigma_x: grid_sigma(),
            sigma_y: grid_sigma(),
            correlation: 0.0,
            score: cell.score,
        }
    }
}

impl From<&Found> for Mark {
    fn from(found: &Found) -> Self {
        Self {
            x: found.x,
            y: found.y,
            score: found.score,
            sigma: Some([found.sigma_x, found.sigma_y, found.correlation]),
        }
    }
}

/// What a readout says about one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Targets of the middle frame, from top to bottom.
    pub found: Vec<Found>,
    /// Squared residuals over pixel variance and degrees of freedom; nothing without a fit.
    pub reduced_chi2: Option<f64>,
}

/// Finds targets in sequences by one readout.
pub enum Finder<'a> {
    /// On the network's map.
    Grid(&'a dyn Network),
    /// Between the cells.
    OffGrid(Box<Localiser<'a>>),
}

impl<'a> Finder<'a> {
    /// A finder; `config` is for readouts with a fit.
    ///
    /// # Errors
    /// [`Error::Usage`] if the readout needs a network and there is none, or one without the head
    /// that it needs, and for a `config` out of range.
    pub fn new(
        network: Option<&'a dyn Network>,
        readout: Readout,
        config: LocateConfig,
    ) -> Result<Self> {
        match readout.method() {
            Some(method) => {
                let localiser = Localiser::new(network, method, config)?;
                Ok(Self::OffGrid(Box::new(localiser)))
            }
            None => network
                .map(Self::Grid)
                .ok_or_else(|| Error::usage("grid readout: expected a model")),
        }
    }

    /// Answers for all windows of `counts (frames, 11, 11)`; `excluded` flags pixels not to believe.
    ///
    /// # Errors
    /// As [`Localiser::windows`] and [`Network::sequence_maps`].
    pub fn windows(&self, counts: &[f32], excluded: Option<&[bool]>) -> Result<Vec<Window>> {
        match self {
            Self::Grid(network) => {
                let maps = network.sequence_maps(counts)?;
                maps.chunks_exact(MAP_LEN).map(on_grid).collect()
            }
            Self::OffGrid(localiser) => {
                let answers = localiser.windows(counts, excluded)?;
                let window = answers.iter().map(|answer| Window {
                    found: downwards(&answer.targets),
                    reduced_chi2: answer.reduced_chi2,
                });
                Ok(window.collect())
            }
        }
    }

    /// Answers beside the truth for every evaluated frame of `trajectories`; `tick` is called after
    /// each trajectory.
    ///
    /// # Errors
    /// As [`Self::windows`], or if `tick` fails.
    pub fn results(
        &self,
        trajectories: &[Trajectory],
        tick: impl FnMut() -> Result<()>,
    ) -> Result<Vec<FrameResult>> {
        match self {
            Self::Grid(network) => grid_results(*network, trajectories, tick),
            Self::OffGrid(localiser) => {
                let answers = localiser.trajectories(trajectories, tick)?;
                Ok(frame_results(trajectories, &answers))
            }
        }
    }
}

fn on_grid(map: &[f32]) -> Result<Window> {
    Ok(Window {
        found: read_grid(map)?.iter().map(Found::from).collect(),
        reduced_chi2: None,
    })
}

fn downwards(targets: &[Target]) -> Vec<Found> {
    let mut found: Vec<Found> = targets.iter().map(Found::from).collect();
    found.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(x: f64, score: f64) -> Target {
        Target {
            x,
            y: 4.0,
            intensity: 230.0,
            sigma_x: 0.01,
            sigma_y: 0.02,
            correlation: -0.5,
            sigma_intensity: 3.0,
            score,
        }
    }

    #[test]
    fn targets_come_in_the_order_of_rows_and_keep_their_uncertainty() {
        let found = downwards(&[target(2.0, 0.9), target(1.0, 0.2), target(3.0, 0.5)]);
        let order: Vec<f64> = found.iter().map(|found| found.score).collect();
        assert_eq!(order, [0.2, 0.9, 0.5]);
        let mark = Mark::from(&found[0]);
        assert_eq!(mark.sigma, Some([0.01, 0.02, -0.5]));
    }

    #[test]
    fn cells_have_the_spread_of_a_cell_and_move_with_their_frame() {
        let cell = Detection {
            x: 3.0,
            y: 5.0,
            score: 210.0,
        };
        let found = Found::from(&cell).moved([100, 20]);
        assert_eq!((found.x, found.y, found.intensity), (103.0, 25.0, 210.0));
        assert_eq!([found.sigma_x, found.sigma_y], [grid_sigma(); 2]);
    }
}
