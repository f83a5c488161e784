//! The offset head over trajectories.

use derefnet_core::locate::head::{ANSWER_LEN, Claim, read};
use derefnet_core::metric::Detection;

use super::metric::FrameResult;
use super::network::{Inference, batch, frame_results};
use crate::backend::Backend;
use crate::scene::Trajectory;
use crate::{Error, Result};

/// Claims as the metric takes them.
fn detections(claims: &[Claim]) -> Vec<Detection> {
    let detection = |claim: &Claim| Detection {
        x: f64::from(claim.x),
        y: f64::from(claim.y),
        score: f64::from(claim.score()),
    };
    claims.iter().map(detection).collect()
}

/// What the head claims in every evaluated frame of `trajectory`.
///
/// # Errors
/// If the network has no head, answers with a value that is not finite, or counts time within
/// trajectories shorter than this one.
pub fn claims<B: Backend>(
    inference: &Inference<'_, B>,
    trajectory: &Trajectory,
) -> Result<Vec<Vec<Claim>>> {
    let frames = batch([trajectory]);
    inference.check_length(frames.length)?;
    let answers = inference.answers(&frames).ok_or_else(|| {
        Error::usage("this model has no offset head: it answers on the grid alone")
    })?;
    let unit = inference.network().config.intensity_scale;
    answers
        .chunks_exact(ANSWER_LEN)
        .map(|answer| {
            let claims = read(answer, unit).map_err(|e| Error::CheckFailed(e.to_string()))?;
            Ok(claims.to_vec())
        })
        .collect()
}

/// Answers of the head beside the truth for every evaluated frame of `trajectories`.
///
/// # Errors
/// As [`claims`], or if `tick`, called after each trajectory, fails.
pub fn offgrid_results<B: Backend>(
    inference: &Inference<'_, B>,
    trajectories: &[Trajectory],
    tick: impl FnMut() -> Result<()>,
) -> Result<Vec<FrameResult>> {
    let detect = |trajectory: &Trajectory| {
        let claims = claims(inference, trajectory)?;
        Ok(claims.iter().map(|claims| detections(claims)).collect())
    };
    frame_results(trajectories, detect, tick)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;
    use crate::dataset::Split;
    use crate::model::DeRefNet;
    use crate::scene::{SceneConfig, generate};

    #[test]
    fn a_model_without_a_head_is_refused() {
        let (network, _) = DeRefNet::shipped().unwrap();
        let network = DeRefNet {
            config: crate::model::ModelConfig {
                head: None,
                ..network.config
            },
            ..network
        };
        let cpu = Cpu::new();
        let inference = Inference::new(&network, &cpu);
        let scene = generate(&SceneConfig::default(), 1, Split::Test, 0);
        let refused = claims(&inference, &scene).unwrap_err().to_string();
        assert!(refused.contains("no offset head"), "{refused}");
    }
}
