//! The answers of a row, by cells and between them.

use derefnet_core::locate::{LocateConfig, MAX_SOURCES};
use derefnet_core::metric::Detection;

use super::definition::Data;
use super::text::OffGrid;
use crate::eval::network::{Network, batch, centres};
use crate::eval::offgrid::{Answer, Localiser, Method};
use crate::eval::peaks::Refiner;
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
    between: Between<'a>,
}

/// How places between the cells are found.
enum Between<'a> {
    Nothing,
    /// From maps.
    Refined(Box<Refiner>),
    Localised(Box<Localiser<'a>>),
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
        let localised = |method| {
            let localiser = Localiser::new(network, method, config)?;
            Ok::<_, Error>(Between::Localised(Box::new(localiser)))
        };
        let between = match off_grid {
            OffGrid::None => Between::Nothing,
            OffGrid::FitFromMap => Between::Refined(Box::new(Refiner::new(config)?)),
            OffGrid::Fit => localised(Method::Fit)?,
            OffGrid::Head => localised(Method::Head)?,
            OffGrid::HeadFit => localised(Method::HeadFit)?,
        };
        Ok(Self {
            maps,
            grid,
            between,
        })
    }

    /// What is found in `trajectory`.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) fn answer(&self, trajectory: &Trajectory) -> Result<Answered> {
        let needs_maps = self.grid || matches!(self.between, Between::Refined(_));
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
        let counts = batch([trajectory]).counts;
        let answers = match &self.between {
            Between::Nothing => return Ok(None),
            Between::Refined(refiner) => refiner.refine(&counts, maps.unwrap_or_default()),
            Between::Localised(localiser) => localiser.windows(&counts, None),
        };
        answers.map(Some)
    }
}
