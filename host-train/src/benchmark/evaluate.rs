//! A row on its test trajectories.

use derefnet_core::metric::Detection;
use derefnet_core::physics::{MAP_LEN, WINDOW};

use super::answers::{Answered, Reader};
use super::result::{GalleryFrame, PrecisionRecall, Scores};
use crate::Result;
use crate::cli::interrupt;
use crate::cli::progress::Progress;
use crate::eval::masks::{MaskScores, MaskTally, mask_of};
use crate::eval::metric::{FrameResult, evaluate as score, precision_recall};
use crate::eval::network::{centres, read_grid};
use crate::scene::Trajectory;

/// Points kept of a curve of precision over recall.
const POINTS: usize = 100;
/// Frames of the gallery.
const GALLERY: usize = 3;

/// What a row is worth.
pub(super) struct Evaluation {
    pub(super) grid: Option<Scores>,
    pub(super) off_grid: Option<Scores>,
    pub(super) masks: Option<MaskScores>,
    pub(super) precision_recall: Vec<PrecisionRecall>,
    pub(super) gallery: Vec<GalleryFrame>,
}

/// Answers of all evaluated frames beside the truth, by one readout.
type Results = Option<Vec<FrameResult>>;

/// Evaluates `reader` on `trajectories`, by `masks` of pixels too where these are asked for.
///
/// # Errors
/// If there is no answer, one is not finite, or the user interrupts.
pub(super) fn evaluate(
    reader: &Reader<'_>,
    trajectories: &[Trajectory],
    masks: bool,
    label: &str,
) -> Result<Evaluation> {
    let progress = Progress::new(label, "trajectories", trajectories.len() as u64);
    let shown = shown(trajectories);
    let (mut grid, mut off_grid): (Results, Results) = (None, None);
    let mut gallery = Vec::new();
    let mut tally = MaskTally::default();
    for (number, trajectory) in trajectories.iter().enumerate() {
        let answered = reader.answer(trajectory, masks)?;
        if let Some(maps) = &answered.maps {
            let read: Result<Vec<_>> = maps.chunks_exact(MAP_LEN).map(read_grid).collect();
            add(&mut grid, trajectory, read?);
        }
        if let Some(targets) = &answered.targets {
            add(&mut off_grid, trajectory, targets.clone());
        }
        for (mask, truth) in answered.masks.iter().flatten().zip(centres(trajectory)) {
            tally.add(mask, &mask_of(truth));
        }
        if shown.contains(&number) {
            gallery.push(picture(number, trajectory, &answered));
        }
        progress.advance(1);
        interrupt::check()?;
    }
    let scores = |results: &Results| -> Result<Option<Scores>> {
        let report = results.as_deref().map(score).transpose()?;
        Ok(report.as_ref().map(Scores::from))
    };
    let curves = grid.as_deref().or(off_grid.as_deref()).unwrap_or_default();
    Ok(Evaluation {
        grid: scores(&grid)?,
        off_grid: scores(&off_grid)?,
        masks: tally.scores(),
        precision_recall: thinned(curves)?,
        gallery,
    })
}

/// Puts a trajectory's detections beside its truth.
fn add(results: &mut Results, trajectory: &Trajectory, detections: Vec<Vec<Detection>>) {
    let frames = detections.into_iter().zip(centres(trajectory));
    let frames = frames.map(|(detections, truth)| FrameResult {
        detections,
        truth: truth.clone(),
    });
    results.get_or_insert_default().extend(frames);
}

/// Trajectories of the gallery, ascending: the first ones with the fewest targets, the most, and a
/// number between; where there are none such, the first that are left.
fn shown(trajectories: &[Trajectory]) -> Vec<usize> {
    let counts: Vec<usize> = trajectories.iter().map(|t| t.truth[0].len()).collect();
    let low = counts.iter().min().copied().unwrap_or(0);
    let high = counts.iter().max().copied().unwrap_or(0);
    let mut chosen: Vec<usize> = Vec::new();
    for wanted in [low, low.midpoint(high), high] {
        let free = |at: &usize| !chosen.contains(at);
        let exact = (0..counts.len()).find(|at| counts[*at] == wanted && free(at));
        chosen.extend(exact.or_else(|| (0..counts.len()).find(free)));
    }
    chosen.sort_unstable();
    debug_assert!(chosen.len() <= GALLERY);
    chosen
}

fn picture(number: usize, trajectory: &Trajectory, answered: &Answered) -> GalleryFrame {
    let frame = trajectory.truth.len() / 2;
    let window = frame - WINDOW / 2;
    let rounded = |v: &f32| (f64::from(*v) * 100.0).round() / 100.0;
    let map = |maps: &Vec<f32>| {
        let map = &maps[window * MAP_LEN..(window + 1) * MAP_LEN];
        map.iter().map(rounded).collect()
    };
    let targets = |all: &Vec<Vec<Detection>>| {
        let targets = all[window].iter();
        targets.map(|d| [d.x, d.y, d.score]).collect()
    };
    let truth = trajectory.truth[frame].iter();
    GalleryFrame {
        trajectory: number,
        frame,
        truth: truth.map(|t| [t.x, t.y, t.intensity]).collect(),
        frame_counts: trajectory
            .frames
            .index_axis(ndarray::Axis(0), frame)
            .iter()
            .copied()
            .collect(),
        map: answered.maps.as_ref().map(map),
        targets: answered.targets.as_ref().map(targets),
    }
}

/// Curves at the five distances, evenly thinned, with their last points.
fn thinned(results: &[FrameResult]) -> Result<Vec<PrecisionRecall>> {
    let short = |value: f64| (value * 1e4).round() / 1e4;
    let curves = precision_recall(results)?.into_iter().map(|curve| {
        let count = curve.points.len();
        let kept = count.min(POINTS);
        let at = |k: usize| (k + 1) * count / kept - 1;
        let points = (0..kept).map(|k| curve.points[at(k)]);
        PrecisionRecall {
            delta: curve.delta,
            points: points
                .map(|p| [short(p.recall), short(p.precision)])
                .collect(),
        }
    });
    Ok(curves.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;
    use crate::scene::{SceneConfig, generate};

    #[test]
    fn the_gallery_shows_few_and_many_targets() {
        let scene = SceneConfig::default();
        let all: Vec<Trajectory> = (0..40)
            .map(|i| generate(&scene, 1, Split::Test, i))
            .collect();
        let chosen = shown(&all);
        assert!(chosen.is_sorted() && chosen.len() == GALLERY);
        let mut counts: Vec<usize> = chosen.iter().map(|&i| all[i].truth[0].len()).collect();
        counts.sort_unstable();
        assert_eq!(counts, [2, 3, 4]);
        assert_eq!(shown(&all[..1]), [0]);
        assert_eq!(shown(&all[..2]), [0, 1]);
    }

    #[test]
    fn thinned_curves_keep_their_end() {
        let detection = |x| Detection {
            x,
            y: 5.0,
            score: 10.0 - x,
        };
        let frames: Vec<FrameResult> = (0..250)
            .map(|k| FrameResult {
                detections: vec![detection(1.0 + f64::from(k) * 0.01)],
                truth: vec![crate::scene::Target {
                    x: 1.0,
                    y: 5.0,
                    intensity: 230.0,
                }],
            })
            .collect();
        let curves = thinned(&frames).unwrap();
        let last = curves[4].points.last().copied();
        assert_eq!((curves.len(), curves[4].points.len()), (5, POINTS));
        // Answers at 0, 0.01, … 0.25 px hit: 25 or, where the last is not counted by rounding, 26.
        let hits = 250.0 * last.unwrap()[0];
        assert!((25.0..=26.0).contains(&hits), "{hits}");
    }
}
