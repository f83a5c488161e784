//! The answers of a row, by cells and between them.

use derefnet_core::locate::{LocateConfig, MAX_SOURCES};
use derefnet_core::metric::Detection;

use super::definition::Data;
use super::text::OffGrid;
use crate::eval::masks::{Mask, mask_of};
use crate::eval::network::{Network, batch, centres};
use crate::eval::offgrid::{Answer, Localiser, Method};
use crate::eval::peaks::Refiner;
use crate::methods::Detected;
use crate::methods::evaluate::Maps;
use crate::methods::marks::Marks;
use crate::scene::{Target, Trajectory};
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
    Marked(&'a dyn Marks),
}

/// Answers for one trajectory.
pub(super) struct Answered {
    /// Maps of its evaluated frames `(windows, 1089)`, counts, where cells are read.
    pub(super) maps: Option<Vec<f32>>,
    /// Targets between the cells, a list per evaluated frame.
    pub(super) targets: Option<Vec<Vec<Detection>>>,
    /// The pixels in which these are to be seen, or which a detector marks.
    pub(super) masks: Option<Vec<Mask>>,
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
            OffGrid::Components => return Err(Error::usage("off_grid: no detector")),
        };
        Ok(Self {
            maps,
            grid,
            between,
        })
    }

    /// A reader of a detector's masks.
    pub(super) fn of_detector(detector: &'a dyn Marks) -> Self {
        Self {
            maps: None,
            grid: false,
            between: Between::Marked(detector),
        }
    }

    /// What is found in `trajectory`, drawn as `masks` too where these are asked for.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) fn answer(&self, trajectory: &Trajectory, masks: bool) -> Result<Answered> {
        if let Between::Marked(detector) = self.between {
            let marked = marked(detector, trajectory)?;
            let masks = marked.masks.filter(|_| masks);
            return Ok(Answered { masks, ..marked });
        }
        let needs_maps = self.grid || matches!(self.between, Between::Refined(_));
        let maps = if needs_maps {
            Some(self.maps(trajectory)?)
        } else {
            None
        };
        let answers = self.between(trajectory, maps.as_deref())?;
        let answers = answers.as_deref();
        let detections = |all: &[Answer]| all.iter().map(Answer::detections).collect();
        Ok(Answered {
            targets: answers.map(detections),
            masks: answers
                .filter(|_| masks)
                .map(|all| all.iter().map(mask).collect()),
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
            std::hint::black_box(self.answer(trajectory, false)?.targets);
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
            Between::Nothing | Between::Marked(_) => return Ok(None),
            Between::Refined(refiner) => refiner.refine(&counts, maps.unwrap_or_default()),
            Between::Localised(localiser) => localiser.windows(&counts, None),
        };
        answers.map(Some)
    }
}

/// The pixels in which the targets of `answer` are to be seen.
fn mask(answer: &Answer) -> Mask {
    let targets = answer.targets.iter().map(|found| Target {
        x: found.x,
        y: found.y,
        intensity: found.intensity,
    });
    mask_of(&targets.collect::<Vec<_>>())
}

/// What `detector` marks in the evaluated frames, each component being one target.
fn marked(detector: &dyn Marks, trajectory: &Trajectory) -> Result<Answered> {
    let found = detector.marks(trajectory)?;
    Ok(Answered {
        maps: None,
        targets: Some(found.iter().map(Detected::targets).collect()),
        masks: Some(found.iter().map(|found| found.mask).collect()),
    })
}
