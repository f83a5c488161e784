//! `derefnet unmix`: targets of the user's own frames.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, WINDOW};
use ndarray::{ArrayView2, Axis};
use serde::Serialize;

use super::input::{InputArgs, Sequence};
use super::model::{ModelArgs, Readout};
use super::{Common, interrupt, output};
use crate::backend::cpu::Cpu;
use crate::eval::network::{Inference, grid_sigma, read_grid};
use crate::plot::overlay::{Overlay, draw as draw_overlay};
use crate::plot::sequence::{Row, draw as draw_gallery};
use crate::plot::{Mark, Series};
use crate::{Error, Result};

/// Options of `unmix`.
#[derive(Clone, Debug, clap::Args)]
pub struct UnmixArgs {
    /// Which model to use.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How targets are read off the map.
    #[arg(long, value_enum, default_value = "grid")]
    pub readout: Readout,
    /// Frames.
    #[command(flatten)]
    pub input: InputArgs,
    /// Write a picture per sequence into this folder.
    #[arg(long, value_name = "DIR")]
    pub plot: Option<PathBuf>,
}

/// One target found; coordinates in pixels of the frame as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Row.
    pub x: f64,
    /// Column.
    pub y: f64,
    /// Value of the map, counts.
    pub intensity: f64,
    /// Standard deviation of the row, pixels.
    pub sigma_x: f64,
    /// Standard deviation of the column, pixels.
    pub sigma_y: f64,
    /// Rank of the answer; larger is surer.
    pub score: f64,
}

/// Frames of a sequence: `None` for the two first and two last, which no window evaluates.
type Frames = Vec<Option<Vec<Found>>>;

#[derive(Serialize)]
struct Answer {
    sequences: Vec<Frames>,
}

/// Unmixes every sequence and prints its targets.
///
/// # Errors
/// Unusable model or frames, a folder for pictures that cannot be written.
pub fn run(args: &UnmixArgs, common: &Common) -> Result<()> {
    let (network, _) = args.model.load()?;
    let sequences = args.input.read()?;
    let backend = Cpu::new();
    let inference = Inference::new(&network, &backend);
    if let Some(folder) = &args.plot {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let mut answer = Answer {
        sequences: Vec::new(),
    };
    let mut text = String::new();
    for (number, sequence) in sequences.iter().enumerate() {
        interrupt::check()?;
        let counts: Vec<f32> = sequence.frames.iter().copied().collect();
        debug_assert!(counts.len() >= WINDOW * FRAME_LEN);
        let maps = inference.sequence_maps(&counts)?;
        let frames = find(sequence, &maps)?;
        if let Some(folder) = &args.plot {
            draw(folder, number, sequence, &maps, &frames)?;
        }
        describe(&mut text, sequence, &frames);
        answer.sequences.push(frames);
    }
    output::emit(common, &answer, &text)
}

/// Reads the targets off the maps of all windows.
fn find(sequence: &Sequence, maps: &[f32]) -> Result<Frames> {
    let side = WINDOW / 2;
    let mut frames: Frames = vec![None; sequence.frames.len_of(Axis(0))];
    for (window, map) in maps.chunks_exact(MAP_LEN).enumerate() {
        let [row, column] = sequence.origin[window + side].map(|v| v as f64);
        let found = read_grid(map)?.into_iter().map(|d| Found {
            x: d.x + row,
            y: d.y + column,
            intensity: d.score,
            sigma_x: grid_sigma(),
            sigma_y: grid_sigma(),
            score: d.score,
        });
        frames[window + side] = Some(found.collect());
    }
    Ok(frames)
}

fn describe(text: &mut String, sequence: &Sequence, frames: &Frames) {
    let _ = writeln!(text, "{}", sequence.name);
    let head = "frame   x (row), px   y (column), px   intensity, counts";
    let _ = writeln!(text, "{head}");
    for (frame, found) in frames.iter().enumerate() {
        let Some(found) = found else { continue };
        for target in found {
            let _ = writeln!(
                text,
                "{frame:>5}   {:>6.3} ± {:.3}   {:>9.3} ± {:.3}   {:>17.1}",
                target.x, target.sigma_x, target.y, target.sigma_y, target.intensity
            );
        }
        if found.is_empty() {
            let _ = writeln!(text, "{frame:>5}   no target");
        }
    }
}

/// Draws the middle window alone and a gallery of up to six windows.
fn draw(
    folder: &Path,
    number: usize,
    sequence: &Sequence,
    maps: &[f32],
    frames: &Frames,
) -> Result<()> {
    let windows = maps.len() / MAP_LEN;
    let side = WINDOW / 2;
    let marks = |frame: usize| -> Vec<Mark> {
        let [row, column] = sequence.origin[frame].map(|v| v as f64);
        let found = frames[frame].iter().flatten();
        found
            .map(|t| Mark {
                x: t.x - row,
                y: t.y - column,
                score: t.score,
                sigma: Some([t.sigma_x, t.sigma_y, 0.0]),
            })
            .collect()
    };
    let middle = windows / 2 + side;
    let found = marks(middle);
    let overlay = Overlay {
        title: &format!("{}, frame {middle}", sequence.name),
        frame: sequence.frames.index_axis(Axis(0), middle),
        truth: &[],
        series: &[Series {
            name: "grid cells",
            marks: &found,
        }],
    };
    draw_overlay(&folder.join(format!("sequence_{number}.png")), &overlay)?;
    let shown: Vec<usize> = (0..windows.min(6))
        .map(|k| k * windows / windows.min(6))
        .collect();
    let names: Vec<String> = shown
        .iter()
        .map(|w| format!("frame {}", w + side))
        .collect();
    let all: Vec<Vec<Mark>> = shown.iter().map(|w| marks(w + side)).collect();
    let rows: Result<Vec<Row>> = shown
        .iter()
        .zip(&names)
        .zip(&all)
        .map(|((&w, name), found)| {
            let map = &maps[w * MAP_LEN..(w + 1) * MAP_LEN];
            Ok(Row {
                name,
                frame: sequence.frames.index_axis(Axis(0), w + side),
                map: ArrayView2::from_shape((MAP_SIDE, MAP_SIDE), map)
                    .map_err(|e| Error::usage(e.to_string()))?,
                truth: &[],
                detections: found,
            })
        })
        .collect();
    draw_gallery(
        &folder.join(format!("sequence_{number}_frames.png")),
        &rows?,
        &sequence.name,
    )
}
