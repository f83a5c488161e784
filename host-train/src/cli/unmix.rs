//! `derefnet unmix`: targets of the user's own frames.

use std::fmt::Write as _;
use std::path::PathBuf;

use derefnet_core::locate::{LocateConfig, MAX_SOURCES, Prior};
use derefnet_core::physics::WINDOW;
use ndarray::Axis;
use serde::Serialize;

use super::find::{Finder, Found, Window};
use super::input::{InputArgs, Sequence};
use super::model::{ModelArgs, Readout};
use super::{Common, interrupt, output};
use crate::backend::cpu::Cpu;
use crate::{Error, Result};

mod picture;

/// What is known about the constant background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Background {
    /// Nothing: the fit finds it in each window. Networks know none, so the median of a sequence is
    /// taken off its frames first where it is more than noise.
    Free,
    /// There is none, as in the data that models are trained on.
    Fixed,
}

/// Options of `unmix`.
#[derive(Clone, Debug, clap::Args)]
pub struct UnmixArgs {
    /// Which model to use.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How targets are found.
    #[arg(long, value_enum, default_value = "offgrid")]
    pub readout: Readout,
    /// What is known about a constant background.
    #[arg(long, value_enum, default_value = "free")]
    pub background: Background,
    /// Fewest and most targets of a frame, for readouts with a fit; at most 8.
    #[arg(long, default_value = "1-4", value_parser = super::simulate::number_range)]
    pub targets: [u32; 2],
    /// Frames.
    #[command(flatten)]
    pub input: InputArgs,
    /// Write two pictures per sequence into this folder: its middle frame close up, and a gallery.
    #[arg(long, value_name = "DIR")]
    pub plot: Option<PathBuf>,
}

/// Of each frame: `None` for the two first and two last, which no window evaluates.
type Frames<T> = Vec<Option<T>>;

/// How well a fit explains a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Quality {
    /// Near 1 for a good fit; null from a readout without one.
    reduced_chi2: Option<f64>,
}

#[derive(Serialize)]
struct Answer {
    /// As asked for.
    readout: &'static str,
    /// Null where none was read.
    model: Option<String>,
    sequences: Vec<Frames<Vec<Found>>>,
    quality: Vec<Frames<Quality>>,
}

/// Counts up to which a median is what noise and targets leave of it, and no background.
const NEGLIGIBLE: f32 = 5.0;

/// Unmixes every sequence and prints its targets.
///
/// # Errors
/// Unusable model, mask or frames, a folder for pictures that cannot be written.
pub fn run(args: &UnmixArgs, common: &Common) -> Result<()> {
    let config = config(args)?;
    let loaded = args.model.load_for(args.readout)?;
    let readout = args.readout;
    let mut sequences = args.input.read()?;
    let backend = Cpu::new();
    let network = loaded.as_ref().map(|loaded| loaded.network(&backend));
    let network = network.transpose()?;
    let finder = Finder::new(network.as_deref(), readout, config)?;
    if let Some(folder) = &args.plot {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let mut answer = Answer {
        readout: readout.name(),
        model: network.is_some().then(|| args.model.name()),
        sequences: Vec::new(),
        quality: Vec::new(),
    };
    let mut text = String::new();
    for (number, sequence) in sequences.iter_mut().enumerate() {
        interrupt::check()?;
        level(sequence, args.background);
        let windows = find(&finder, sequence)?;
        if let Some(folder) = &args.plot {
            let network = network.as_deref().filter(|network| network.has_map());
            let maps = network.map(|network| network.sequence_maps(&counts(sequence)));
            let pictures = picture::Pictures {
                sequence,
                windows: &windows,
                maps: maps.transpose()?,
                readout,
            };
            pictures.draw(folder, number)?;
        }
        let frames = in_frames(sequence, &windows);
        describe(&mut text, sequence, &frames);
        answer.sequences.push(frames);
        let quality = windows.iter().map(|window| Quality {
            reduced_chi2: window.reduced_chi2,
        });
        answer.quality.push(padded(quality));
    }
    output::emit(common, &answer, &text)
}

fn config(args: &UnmixArgs) -> Result<LocateConfig> {
    let [fewest, most] = args.targets.map(|count| count as usize);
    if fewest == 0 || fewest > most || most > MAX_SOURCES {
        return Err(Error::usage(format!(
            "--targets is {fewest}-{most}, expected A-B with 1 ≤ A ≤ B ≤ {MAX_SOURCES}"
        )));
    }
    let background_sigma = match args.background {
        Background::Free => Prior::SEQ_CSIST.background_sigma,
        Background::Fixed => 0.0,
    };
    Ok(LocateConfig {
        counts: [fewest, most],
        prior: Prior {
            background_sigma,
            ..Prior::SEQ_CSIST
        },
        ..LocateConfig::SEQ_CSIST
    })
}

fn counts(sequence: &Sequence) -> Vec<f32> {
    sequence.frames.iter().copied().collect()
}

/// Takes a free background off the frames; says where there is one that is thought to be none.
fn level(sequence: &mut Sequence, background: Background) {
    let median = sequence.median();
    if median.abs() <= NEGLIGIBLE {
        return;
    }
    match background {
        Background::Free => sequence.frames.mapv_inplace(|count| count - median),
        Background::Fixed => output::note(&format!(
            "{}: a background of about {median} counts, where none is expected: try --background free",
            sequence.name
        )),
    }
}

fn find(finder: &Finder, sequence: &Sequence) -> Result<Vec<Window>> {
    let excluded: Option<Vec<bool>> = sequence
        .excluded
        .as_ref()
        .map(|flags| flags.iter().copied().collect());
    finder.windows(&counts(sequence), excluded.as_deref())
}

/// One entry per frame from one per window.
fn padded<T>(windows: impl Iterator<Item = T>) -> Frames<T> {
    let none = || (0..WINDOW / 2).map(|_| None);
    none().chain(windows.map(Some)).chain(none()).collect()
}

/// Targets in pixels of the frames as they were given.
fn in_frames(sequence: &Sequence, windows: &[Window]) -> Frames<Vec<Found>> {
    let origins = sequence.origin.iter().skip(WINDOW / 2);
    padded(windows.iter().zip(origins).map(|(window, &origin)| {
        let found = window.found.iter();
        found.map(|found| found.moved(origin)).collect()
    }))
}

fn describe(text: &mut String, sequence: &Sequence, frames: &Frames<Vec<Found>>) {
    let size = sequence.frames.len_of(Axis(0));
    let _ = writeln!(text, "{}, {size} frames", sequence.name);
    let head = "frame   x (row), px   y (column), px   intensity, counts     score";
    let _ = writeln!(text, "{head}");
    for (frame, found) in frames.iter().enumerate() {
        let Some(found) = found else { continue };
        for target in found {
            let _ = writeln!(
                text,
                "{frame:>5}   {:>6.3} ± {:.3}   {:>9.3} ± {:.3}   {:>17.1}   {:>7.3}",
                target.x, target.sigma_x, target.y, target.sigma_y, target.intensity, target.score
            );
        }
        if found.is_empty() {
            let _ = writeln!(text, "{frame:>5}   no target");
        }
    }
}
