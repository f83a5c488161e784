//! The fit of point sources over trajectories: detections for the metric.

use derefnet_core::locate::{LocateConfig, Located, Locator, Proposal, WINDOW_LEN, Workspace};
use derefnet_core::metric::Detection;
use derefnet_core::physics::FRAME_LEN;
use rayon::prelude::*;

use super::metric::FrameResult;
use super::network::centres;
use crate::scene::Trajectory;
use crate::{Error, Result};

/// Proposals for the windows of one trajectory, by trajectory and window; called from several
/// threads.
pub type Proposer<'a> = dyn Fn(usize, usize) -> Vec<Proposal> + Sync + 'a;

/// Fits every window of `trajectories`: answers `[trajectory][window]`, the same for any number of
/// threads. `propose` may return no proposals; the fit then finds its own starts.
///
/// # Errors
/// [`Error::Usage`] if `config` or a proposal is out of its range.
pub fn locate_all(
    config: LocateConfig,
    trajectories: &[Trajectory],
    propose: &Proposer,
) -> Result<Vec<Vec<Located>>> {
    let locator = Locator::new(config).map_err(|error| Error::usage(error.to_string()))?;
    let fit = |(index, trajectory): (usize, &Trajectory)| {
        let counts: Vec<f32> = trajectory.frames.iter().map(|&c| c as f32).collect();
        let mut workspace = Workspace::new();
        let windows = counts.windows(WINDOW_LEN).step_by(FRAME_LEN).enumerate();
        let located = windows.map(|(window, frames)| {
            let proposals = propose(index, window);
            locator
                .locate(&mut workspace, frames, None, &proposals)
                .map_err(|e| Error::usage(format!("trajectory {index}, window {window}: {e}")))
        });
        located.collect::<Result<Vec<Located>>>()
    };
    trajectories.par_iter().enumerate().map(fit).collect()
}

/// Answers beside the truth of the windows' middle frames, for
/// [`evaluate`](super::metric::evaluate).
pub fn frame_results(trajectories: &[Trajectory], located: &[Vec<Located>]) -> Vec<FrameResult> {
    let detection = |target: &derefnet_core::locate::Target| Detection {
        x: target.x,
        y: target.y,
        score: target.score,
    };
    let pairs = trajectories.iter().zip(located);
    let frames = pairs.flat_map(|(trajectory, windows)| windows.iter().zip(centres(trajectory)));
    frames
        .map(|(window, truth)| FrameResult {
            detections: window.targets.iter().map(detection).collect(),
            truth: truth.clone(),
        })
        .collect()
}
