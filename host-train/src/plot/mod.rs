//! Figures as PNG files, one file per figure; nothing but this crate is needed to draw them.
//!
//! The font is DejaVu Sans, embedded (`licences/DejaVu.txt`). `x` is the row axis and points down, `y` the column axis
//! and points right, both in low-resolution pixels whose centres are integers, as in the data.
//! Every `draw` writes its file whole or not at all (see [`crate::atomic`]).

pub mod ablation;
pub(crate) mod axes;
pub mod calibration;
mod canvas;
pub mod efficiency;
pub mod ellipses;
pub mod frames;
mod heat;
pub mod map;
pub mod overlay;
pub mod precision_recall;
pub mod quantisation;
pub mod reports;
pub mod sequence;
pub(crate) mod style;
pub mod training;

use crate::scene::Target;

/// One detection, or one target of the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Row coordinate, low-resolution pixels.
    pub x: f64,
    /// Column coordinate, low-resolution pixels.
    pub y: f64,
    /// Score or intensity; not drawn, kept so that one list serves the metric and the figure.
    pub score: f64,
    /// Standard deviations in x and y, pixels, and their correlation; drawn as a 95 % ellipse.
    pub sigma: Option<[f64; 3]>,
}

impl From<&Target> for Mark {
    fn from(target: &Target) -> Self {
        Self {
            x: target.x,
            y: target.y,
            score: target.intensity,
            sigma: None,
        }
    }
}

/// Detections of one readout, under the name that the legend shows.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// Detections.
    pub marks: &'a [Mark],
}

#[cfg(test)]
mod testing;
