//! Scenes that break what the methods are told, rendered anew from the truth of generated ones.

use derefnet::dataset::Split;
use derefnet::rng::Rng;
use derefnet::scene::{Target, Trajectory};
use derefnet::{Error, Result};
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
    /// Seed of the noise.
    pub seed: u64,
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
        let mut rng = Rng::new(self.seed, *b"offgrid-", Split::Test.stream(index));
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

#[cfg(test)]
#[allow(
    dead_code,
    reason = "of the two that include this file, only the library runs tests"
)]
mod tests {
    use derefnet::scene::{SceneConfig, generate};

    use super::*;

    const PLAIN: Render = Render {
        seed: 1,
        sigma: derefnet_core::physics::PSF_SIGMA,
        background: 0.0,
        noise: 0.0,
    };

    fn scene(index: u64) -> Trajectory {
        generate(&SceneConfig::default(), 1, Split::Test, index)
    }

    fn sum(trajectory: &Trajectory) -> i32 {
        trajectory.frames.sum()
    }

    #[test]
    fn nothing_wrong_is_the_generated_scene() {
        let scene = scene(0);
        let again = PLAIN.trajectory(scene.truth.clone(), 0).unwrap();
        assert_eq!(again, scene);
    }

    #[test]
    fn faults_reach_the_frames() {
        let scene = scene(0);
        let render = |render: Render| render.trajectory(scene.truth.clone(), 0).unwrap();
        let lit = render(Render {
            background: 5.0,
            ..PLAIN
        });
        assert_eq!(sum(&lit) - sum(&scene), 5 * (20 * FRAME_LEN) as i32);
        let wide = render(Render {
            sigma: 0.525,
            ..PLAIN
        });
        let brightest = |t: &Trajectory| t.frames.iter().copied().max();
        assert!(brightest(&wide) < brightest(&scene));
        let noisy = render(Render {
            noise: 2.0,
            ..PLAIN
        });
        let squares = noisy.frames.iter().zip(&scene.frames);
        let squares = squares.map(|(a, b)| f64::from((a - b) * (a - b)));
        // Variance 4 and twice that of rounding; 2,420 pixels, so a standard error of 0.12.
        let variance = squares.sum::<f64>() / noisy.frames.len() as f64;
        assert!((variance - 4.0 - 2.0 / 12.0).abs() < 0.5, "{variance}");
    }

    #[test]
    fn closer_targets_keep_their_centre() {
        let truth = scene(1).truth;
        let near = closer(&truth, 0.5);
        let spread = |t: &[Target]| (t[0].x - t[1].x).hypot(t[0].y - t[1].y);
        for (far, near) in truth.iter().zip(&near) {
            assert!((spread(far) - 2.0 * spread(near)).abs() < 1e-12);
            let ((ax, ay), (bx, by)) = (centroid(far), centroid(near));
            assert!((ax - bx).abs() + (ay - by).abs() < 1e-12);
        }
    }

    #[test]
    fn the_uppermost_target_leaves_halfway() {
        for index in 0..8 {
            let truth = leaving(&scene(index).truth);
            let top = |t: &Vec<Target>| t.iter().map(|t| t.x).fold(f64::INFINITY, f64::min);
            assert!(truth[9..12].is_sorted_by(|a, b| top(a) > top(b)));
            assert!((top(&truth[10]) + 0.5).abs() < 1e-12);
        }
    }

    #[test]
    fn dead_pixels_lie_on_the_blob() {
        let mut scene = scene(2);
        let [row, column] = centre(&scene.truth);
        let blob = scene.frames[[10, row, column]];
        assert!(blob > 100, "{blob}");
        let dead = Dead {
            place: [row, column],
            value: 1000,
        };
        dead.spoil(&mut scene);
        let pixels = scene.frames.as_slice().unwrap().chunks_exact(FRAME_LEN);
        for frame in pixels {
            let shown: Vec<bool> = frame.iter().map(|&count| count == 1000).collect();
            assert_eq!(shown, dead.mask());
        }
    }
}
