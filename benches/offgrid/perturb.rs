//! Scenes that break what the methods are told, rendered anew from the truth of generated ones.

use derefnet::dataset::Split;
use derefnet::rng::Rng;
use derefnet::scene::{Target, Trajectory};
use derefnet::{Error, Result};
use derefnet_benches::SEED;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, Optics, PointSource, RATIO};
use ndarray::Array3;

/// A pixel that does not measure.
pub struct Dead {
    /// Row and column.
    pub place: [usize; 2],
    /// What it shows instead, counts.
    pub value: i32,
}

/// How frames come about.
pub struct Render {
    /// Width of the point response, pixels.
    pub sigma: f64,
    /// Constant background, counts.
    pub background: f64,
    /// Standard deviation of the noise, counts.
    pub noise: f64,
}

impl Render {
    /// Frames of `truth`, trajectory `index` of the test split: expected counts, background, noise,
    /// rounding.
    ///
    /// # Errors
    /// If the width or a target is out of range.
    pub fn trajectory(&self, truth: Vec<Vec<Target>>, index: u64) -> Result<Trajectory> {
        let optics = Optics::new(FRAME_SIDE, RATIO, self.sigma).map_err(fail)?;
        let mut rng = Rng::new(SEED, *b"offgrid-", Split::Test.stream(index));
        let mut frames = Array3::zeros((truth.len(), FRAME_SIDE, FRAME_SIDE));
        for (targets, mut frame) in truth.iter().zip(frames.outer_iter_mut()) {
            let sources: Vec<PointSource> = targets.iter().map(source).collect();
            let (mut scratch, mut counts) = ([0.0; FRAME_SIDE], [self.background; FRAME_LEN]);
            let rendered = optics.render(&sources, &mut scratch, &mut counts);
            rendered.map_err(fail)?;
            for (pixel, count) in frame.iter_mut().zip(counts) {
                *pixel = (count + self.noise * rng.gaussian()).round_ties_even() as i32;
            }
        }
        Ok(Trajectory { frames, truth })
    }
}

fn fail(error: derefnet_core::Error) -> Error {
    Error::usage(error.to_string())
}

fn source(target: &Target) -> PointSource {
    PointSource {
        x: target.x,
        y: target.y,
        intensity: target.intensity,
    }
}

fn centroid(targets: &[Target]) -> (f64, f64) {
    let count = targets.len().max(1) as f64;
    let sum = |of: fn(&Target) -> f64| targets.iter().map(of).sum::<f64>() / count;
    (sum(|t| t.x), sum(|t| t.y))
}

/// Targets drawn together around their centroid: of the rules' arrangement, with arms of `factor`
/// times their length.
pub fn closer(truth: &[Vec<Target>], factor: f64) -> Vec<Vec<Target>> {
    let frame = |targets: &Vec<Target>| {
        let (x, y) = centroid(targets);
        let near = |t: &Target| Target {
            x: x + factor * (t.x - x),
            y: y + factor * (t.y - y),
            ..*t
        };
        targets.iter().map(near).collect()
    };
    truth.iter().map(frame).collect()
}

/// The same scene on a straight way out: the target that is uppermost in a frame lies at row
/// `-t/20` in frame `t`, so that it crosses the upper border of the field, -0.5, in the middle of 20
/// frames, and the others follow or stay inside.
pub fn leaving(truth: &[Vec<Target>]) -> Vec<Vec<Target>> {
    let frame = |(time, targets): (usize, &Vec<Target>)| {
        let rows = targets.iter().map(|target| target.x);
        let shift = rows.fold(f64::INFINITY, f64::min) + time as f64 / 20.0;
        let moved = |t: &Target| Target {
            x: t.x - shift,
            ..*t
        };
        targets.iter().map(moved).collect()
    };
    truth.iter().enumerate().map(frame).collect()
}

/// Pixel at the centre of the blob, halfway through the trajectory.
pub fn centre(truth: &[Vec<Target>]) -> [usize; 2] {
    let (x, y) = truth
        .get(truth.len() / 2)
        .map_or((0.0, 0.0), |t| centroid(t));
    [x, y].map(|u| (u.round().max(0.0) as usize).min(FRAME_SIDE - 1))
}

impl Dead {
    /// Spoils all frames.
    pub fn spoil(&self, trajectory: &mut Trajectory) {
        for mut frame in trajectory.frames.outer_iter_mut() {
            frame[self.place] = self.value;
        }
    }

    /// Its mask, for all frames alike.
    pub fn mask(&self) -> Vec<bool> {
        let [row, column] = self.place;
        let place = row * FRAME_SIDE + column;
        (0..FRAME_LEN).map(|pixel| pixel == place).collect()
    }
}
