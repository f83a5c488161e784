//! The answers of a row, by cells and between them.

use derefnet_core::locate::{LocateConfig, MAX_SOURCES, Proposal};
use derefnet_core::metric::Detection;
use derefnet_core::physics::MAP_LEN;

use super::definition::Data;
use super::text::OffGrid;
use crate::eval::network::{Network, batch, centres};
use crate::eval::offgrid::{Answer, Localiser, Method};
use crate::eval::peaks::peaks;
use crate::methods::evaluate::Maps;
use crate::scene::Trajectory;
use crate::{Error, Result};

/// Maps of a DeRefNet.
pub(super) struct Windows<'a>(pub(super) &'a dyn Network);

impl Maps for Windows<'_> {
    fn maps(&self, trajectory: &Trajectory) -> Result<Vec<f32>> {
        self.0.check_length(trajectory.truth.len())?;
        self.0.maps(&batch([trajectory]))
    }
}

/// Reads the answers of a row.
pub(super) struct Reader<'a> {
    maps: Option<&'a dyn Maps>,
    grid: bool,
    off_grid: Option<(OffGrid, Localiser<'a>)>,
}

/// Answers for one trajectory.
pub(super) struct Answered {
    /// Maps of its evaluated frames `(windows, 1089)`, counts, where cells are read.
    pub(super) maps: Option<Vec<f32>>,
    /// Targets between the cells, a list per evaluated frame.
    pub(super) targets: Option<Vec<Vec<Detection>>>,
}

impl<'a> Reader<'a> {
    /// A reader of `maps`, of the offset head of `network`, or of neither.
    ///
    /// # Errors
    /// If the readout needs a head that is not there.
    pub(super) fn new(
        (grid, off_grid): (bool, OffGrid),
        maps: Option<&'a dyn Maps>,
        network: Option<&'a dyn Network>,
        data: &Data,
    ) -> Result<Self> {
        let most = (data.targets[1] as usize).clamp(4, MAX_SOURCES);
        let config = LocateConfig {
            counts: [1, most],
            ..LocateConfig::SEQ_CSIST
        };
        let method = match off_grid {
            OffGrid::None => None,
            OffGrid::FitFromMap | OffGrid::Fit => Some(Method::Fit),
            OffGrid::Head => Some(Method::Head),
            OffGrid::HeadFit => Some(Method::HeadFit),
        };
        let localiser = method.map(|method| Localiser::new(network, method, config));
        Ok(Self {
            maps,
            grid,
            off_grid: localiser
                .transpose()?
                .map(|localiser| (off_grid, localiser)),
        })
    }

    /// What is found in `trajectory`.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) fn answer(&self, trajectory: &Trajectory) -> Result<Answered> {
        let needs_maps = self.grid || matches!(self.off_grid, Some((OffGrid::FitFromMap, _)));
        let maps = if needs_maps {
            Some(self.maps(trajectory)?)
        } else {
            None
        };
        let answers = self.between(trajectory, maps.as_deref())?;
        let detections = |all: Vec<Answer>| all.iter().map(Answer::detections).collect();
        Ok(Answered {
            targets: answers.map(detections),
            maps: maps.filter(|_| self.grid),
        })
    }

    /// Does what the row's speed is measured by, and says for how many frames: maps where cells are
    /// read, else the whole answer.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub(super) fn work(&self, trajectory: &Trajectory) -> Result<usize> {
        if self.grid {
            std::hint::black_box(self.maps(trajectory)?);
        } else {
            std::hint::black_box(self.answer(trajectory)?.targets);
        }
        Ok(centres(trajectory).len())
    }

    fn maps(&self, trajectory: &Trajectory) -> Result<Vec<f32>> {
        let maps = self.maps.ok_or_else(|| Error::usage("grid: no map"))?;
        maps.maps(trajectory)
    }

    fn between(
        &self,
        trajectory: &Trajectory,
        maps: Option<&[f32]>,
    ) -> Result<Option<Vec<Answer>>> {
        let Some((off_grid, localiser)) = &self.off_grid else {
            return Ok(None);
        };
        let counts = batch([trajectory]).counts;
        let answers = match (off_grid, maps) {
            (OffGrid::FitFromMap, Some(maps)) => {
                let starts: Vec<Vec<Proposal>> = maps.chunks_exact(MAP_LEN).map(peaks).collect();
                localiser.started(&counts, &starts)
            }
            _ => localiser.windows(&counts, None),
        };
        answers.map(Some)
    }
}
