//! Pictures of one unmixed sequence.

use std::path::Path;

use derefnet_core::physics::{MAP_LEN, MAP_SIDE, WINDOW};
use ndarray::{ArrayView2, Axis};

use super::super::find::{Found, Window};
use super::super::input::Sequence;
use super::super::model::Readout;
use crate::plot::Mark;
use crate::plot::sequence::{Row, draw};
use crate::{Error, Result};

/// Most windows in the gallery.
const SHOWN: usize = 6;

/// What there is to draw.
pub struct Pictures<'a> {
    pub sequence: &'a Sequence,
    pub windows: &'a [Window],
    /// The network's maps, `(windows, 1089)`.
    pub maps: Option<Vec<f32>>,
    pub readout: Readout,
}

/// Owned parts of a row.
struct Parts {
    window: usize,
    name: String,
    marks: Vec<Mark>,
}

impl Pictures<'_> {
    /// Draws the middle window alone and a gallery of some of all windows.
    pub fn draw(&self, folder: &Path, number: usize) -> Result<()> {
        let title = format!("{}, readout {}", self.sequence.name, self.readout.name());
        let middle = self.parts(self.windows.len() / 2);
        let alone = Row {
            map: None,
            ..self.row(&middle)?
        };
        let path = folder.join(format!("sequence_{number}.png"));
        draw(&path, &[alone], &title)?;
        let shown = self.windows.len().min(SHOWN);
        let parts: Vec<Parts> = (0..shown)
            .map(|k| self.parts(k * self.windows.len() / shown))
            .collect();
        let rows: Result<Vec<Row>> = parts.iter().map(|parts| self.row(parts)).collect();
        let path = folder.join(format!("sequence_{number}_frames.png"));
        draw(&path, &rows?, &title)
    }

    fn parts(&self, window: usize) -> Parts {
        let found = self.windows.get(window).map_or(&[][..], |w| &w.found);
        Parts {
            window,
            name: format!("frame {}", window + WINDOW / 2),
            marks: found.iter().map(|found| self.mark(found)).collect(),
        }
    }

    /// The spread of a cell is no region of a normal variable: without it on the grid.
    fn mark(&self, found: &Found) -> Mark {
        let mark = Mark::from(found);
        let sigma = mark.sigma.filter(|_| self.readout != Readout::Grid);
        Mark { sigma, ..mark }
    }

    fn row<'a>(&'a self, parts: &'a Parts) -> Result<Row<'a>> {
        let frame = parts.window + WINDOW / 2;
        let map = self.maps.as_ref().map(|maps| {
            let map = &maps[parts.window * MAP_LEN..(parts.window + 1) * MAP_LEN];
            ArrayView2::from_shape((MAP_SIDE, MAP_SIDE), map)
                .map_err(|e| Error::usage(e.to_string()))
        });
        Ok(Row {
            name: &parts.name,
            frame: self.sequence.frames.index_axis(Axis(0), frame),
            origin: self.sequence.origin[frame],
            map: map.transpose()?,
            truth: &[],
            detections: &parts.marks,
        })
    }
}
