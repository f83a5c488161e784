//! `derefnet simulate`: writes a data set by the rules of SeqCSIST.

use super::progress::Progress;
use super::{Common, interrupt, output};
use crate::dataset::{self, BackgroundNote, Counts, Layout, Manifest, Split};
use crate::plot;
use crate::scene::{self, Arrangement, Backgrounds, SceneConfig, Trajectory};
use crate::{Error, Result};
use ndarray::{Axis, s};
use std::path::{Path, PathBuf};

/// Arguments of `derefnet simulate`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateArgs {
    /// Folder to make; must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Splits to write: train, val, test or all.
    #[arg(long, default_value = "all", value_name = "SPLIT")]
    pub split: String,
    /// Trajectories; with all splits they are shared out 70:15:15. Default: 3500, 750 and 750.
    #[arg(long, value_name = "N")]
    pub trajectories: Option<u64>,
    /// Arrangement of the files.
    #[arg(long, value_enum, default_value = "native")]
    pub layout: Layout,
    /// TOML file with scene options; the options below override it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Frames of each trajectory [default: 20].
    #[arg(long, value_name = "N")]
    pub frames: Option<u32>,
    /// Fewest and most targets, each number as likely [default: 2-4].
    #[arg(long, value_name = "A-B", value_parser = number_range)]
    pub targets: Option<[u32; 2]>,
    /// Where targets lie: by the paper's rules or freely in a disc [default: rules].
    #[arg(long, value_enum)]
    pub arrangement: Option<Arrangement>,
    /// Standard deviation of the noise in counts, or a range to draw from per trajectory [default: 0].
    #[arg(long, value_name = "SIGMA", value_parser = real_range)]
    pub noise: Option<[f64; 2]>,
    /// Depth of the sensor's container [default: 16].
    #[arg(long, value_name = "N")]
    pub bits: Option<u32>,
    /// Clamp counts to the container.
    #[arg(long)]
    pub saturate: bool,
    /// Counts added in the container, so that it holds noise below zero [default: 0].
    #[arg(long, value_name = "COUNTS")]
    pub pedestal: Option<i32>,
    /// Replace negative counts by zero.
    #[arg(long)]
    pub clip_at_zero: bool,
    /// Generated clutter behind the targets; its statistics come from --config.
    #[arg(long, conflicts_with = "background")]
    pub clutter: bool,
    /// Folder of your own PNG frames to cut backgrounds from.
    #[arg(long, value_name = "DIR")]
    pub background: Option<PathBuf>,
    /// Counts per grey value of your own frames.
    #[arg(long, value_name = "G", default_value_t = 1.0, requires = "background")]
    pub background_gain: f64,
    /// Fastest motion of the background, pixels per frame [default: 0].
    #[arg(long, value_name = "PX")]
    pub background_drift: Option<f64>,
}

/// What the command prints with `--json`.
#[derive(serde::Serialize)]
struct Answer<'a> {
    out: &'a Path,
    manifest: &'a Manifest,
    trajectories: u64,
    frames: u64,
}

/// Generates and writes the data set.
///
/// # Errors
/// [`Error::Usage`] for options out of range, [`Error::Interrupted`] after Ctrl-C, and whatever
/// [`dataset::write`] and [`Backgrounds::load`] return; nothing is left behind then.
pub fn run(args: &SimulateArgs, common: &Common) -> Result<()> {
    let config = args.scene()?;
    let counts = args.counts()?;
    let mut manifest = Manifest::new(args.layout, common.seed(), config, counts);
    let backgrounds = args.backgrounds()?;
    if let (Some(folder), Some(loaded)) = (&args.background, &backgrounds) {
        manifest.background = Some(BackgroundNote {
            folder: folder.display().to_string(),
            frames: loaded.count() as u64,
            gain: args.background_gain,
        });
    }
    let total = counts.total();
    let progress = Progress::new("simulate", "trajectories", total);
    let source = |split, index| {
        scene::generate_over(
            &manifest.config,
            backgrounds.as_ref(),
            common.seed(),
            split,
            index,
        )
    };
    let tick = |done| {
        progress.advance(done);
        interrupt::check()
    };
    dataset::write(&args.out, &manifest, &source, &tick, |scratch| {
        let held = |split: &Split| counts.of(*split) > 0;
        match Split::ALL.into_iter().find(held) {
            Some(split) => draw_preview(&scratch.join("preview.png"), &source(split, 0)),
            None => Ok(()),
        }
    })?;
    drop(progress);
    let frames = total * u64::from(manifest.config.frames);
    let answer = Answer {
        out: &args.out,
        manifest: &manifest,
        trajectories: total,
        frames,
    };
    output::emit(common, &answer, &summary(&args.out, &manifest, frames))
}

/// Draws the first five frames of a trajectory.
fn draw_preview(path: &Path, trajectory: &Trajectory) -> Result<()> {
    let counts = trajectory.frames.mapv(|count| count as f32);
    let shown = counts.len_of(Axis(0)).min(5);
    plot::frames::draw(path, counts.slice(s![..shown, .., ..]))
}

fn summary(out: &Path, manifest: &Manifest, frames: u64) -> String {
    let Counts { train, val, test } = manifest.trajectories;
    format!(
        "{}: {frames} frames in {} trajectories ({train} train, {val} val, {test} test), seed {}, {}",
        out.display(),
        manifest.trajectories.total(),
        manifest.seed,
        manifest.data_version
    )
}

impl SimulateArgs {
    /// The options over the file over the defaults.
    fn scene(&self) -> Result<SceneConfig> {
        let mut config = match &self.config {
            Some(path) => SceneConfig::read(path)?,
            None => SceneConfig::default(),
        };
        let set = |value: &mut u32, option: Option<u32>| *value = option.unwrap_or(*value);
        set(&mut config.frames, self.frames);
        set(&mut config.bits, self.bits);
        config.targets = self.targets.unwrap_or(config.targets);
        config.noise = self.noise.unwrap_or(config.noise);
        config.arrangement = self.arrangement.unwrap_or(config.arrangement);
        config.pedestal = self.pedestal.unwrap_or(config.pedestal);
        config.background_drift = self.background_drift.unwrap_or(config.background_drift);
        config.saturate |= self.saturate;
        config.clip_at_zero |= self.clip_at_zero;
        if self.clutter {
            config.clutter.get_or_insert_default();
        }
        config.validate()?;
        Ok(config)
    }

    fn counts(&self) -> Result<Counts> {
        let counts = match (self.split.as_str(), self.trajectories) {
            ("all", None) => Counts::FULL,
            ("all", Some(total)) => Counts::shared(total),
            (word, total) => {
                let split: Split = word
                    .parse()
                    .map_err(|error| Error::usage(format!("--split: {error}, or all")))?;
                Counts::only(split, total.unwrap_or(split.trajectories()))
            }
        };
        let most = dataset::manifest::MOST;
        if Split::ALL.iter().any(|split| counts.of(*split) > most) || counts.total() == 0 {
            return Err(Error::usage(format!(
                "--trajectories: expected 1 to {most} in each split"
            )));
        }
        Ok(counts)
    }

    fn backgrounds(&self) -> Result<Option<Backgrounds>> {
        let load = |folder: &PathBuf| Backgrounds::load(folder, self.background_gain);
        self.background.as_ref().map(load).transpose()
    }
}

/// Parses `A-B` or a single number.
fn range<T: std::str::FromStr + Copy>(text: &str) -> core::result::Result<[T; 2], String> {
    // First, because 1e-3 holds a hyphen too.
    if let Ok(single) = text.parse() {
        return Ok([single; 2]);
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (low.trim().parse(), high.trim().parse()) {
        (Ok(low), Ok(high)) => Ok([low, high]),
        _ => Err("expected a number or a range A-B".to_owned()),
    }
}

pub(super) fn number_range(text: &str) -> core::result::Result<[u32; 2], String> {
    range(text)
}

fn real_range(text: &str) -> core::result::Result<[f64; 2], String> {
    range(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(words: &str) -> core::result::Result<SimulateArgs, clap::Error> {
        let given = ["simulate", "--out", "x"].into_iter();
        let words = given.chain(words.split_whitespace());
        Program::try_parse_from(words).map(|program| program.args)
    }

    #[test]
    fn options_reach_the_scene() {
        let words = "--targets 3-8 --noise 1.5 --bits 8 --saturate --pedestal 20 --frames 7 \
                     --arrangement free --clutter --background-drift 0.01 --clip-at-zero";
        let config = parse(words).unwrap().scene().unwrap();
        let expected = SceneConfig {
            targets: [3, 8],
            noise: [1.5, 1.5],
            bits: 8,
            saturate: true,
            pedestal: 20,
            frames: 7,
            arrangement: Arrangement::Free,
            clutter: Some(scene::ClutterConfig::default()),
            background_drift: 0.01,
            clip_at_zero: true,
            ..SceneConfig::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn options_override_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scene.toml");
        std::fs::write(
            &file,
            "noise = [1, 2]\nframes = 5\n[clutter]\nlevel = [3, 4]\n",
        )
        .unwrap();
        let words = format!("--config {} --noise 0-5 --clutter", file.display());
        let config = parse(&words).unwrap().scene().unwrap();
        assert_eq!((config.noise, config.frames), ([0.0, 5.0], 5));
        assert_eq!(config.clutter.unwrap().level, [3.0, 4.0]);
        std::fs::write(&file, "nose = 1").unwrap();
        let error = parse(&words).unwrap().scene().unwrap_err().to_string();
        assert!(
            error.contains("scene.toml") && error.contains("nose"),
            "{error}"
        );
    }

    #[test]
    fn splits_are_shared_out_as_in_the_paper() {
        let counts = |words| parse(words).unwrap().counts();
        assert_eq!(counts("").unwrap(), Counts::FULL);
        assert_eq!(counts("--trajectories 5000").unwrap(), Counts::FULL);
        assert_eq!(
            counts("--split val").unwrap(),
            Counts::only(Split::Validation, 750)
        );
        let few = counts("--trajectories 7 --split test").unwrap();
        assert_eq!(few, Counts::only(Split::Test, 7));
        for bad in [
            "--split tests",
            "--trajectories 0",
            "--trajectories 99999999999",
        ] {
            assert!(matches!(counts(bad), Err(Error::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(real_range("2").unwrap(), [2.0, 2.0]);
        assert_eq!(real_range("1e-3").unwrap(), [1e-3, 1e-3]);
        assert_eq!(number_range("2-8").unwrap(), [2, 8]);
        for bad in ["", "a", "2-", "-1"] {
            assert!(number_range(bad).is_err(), "{bad}");
        }
        assert!(parse("--targets 4-2").unwrap().scene().is_err());
        assert!(parse("--background-gain 2").is_err());
    }
}
