//! Targets between the cells: the offset head, the fit of point sources, and both together.
//!
//! Whatever localises off the grid goes through [`Localiser`]: training, evaluation, unmixing and
//! benchmarks see the same answers.

mod fill;

use derefnet_core::locate::head::{ANSWER_LEN, Claim, read};
use derefnet_core::locate::{
    LocateConfig, Located, Locator, Proposal, Target, WINDOW_LEN, Workspace,
};
use derefnet_core::metric::Detection;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, WINDOW};
use rayon::prelude::*;

use super::covariance::Covariance2;
use super::matching::Estimate;
use super::metric::FrameResult;
use super::network::{Network, centres, no_head};
use crate::scene::Trajectory;
use crate::{Error, Result};
use fill::fill;

/// How positions between the cells are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// What the offset head claims.
    Head,
    /// The fit, with starts of its own.
    Fit,
    /// The fit, started from the head's claims: their places and intensities are starting values and
    /// their number the first of the counts tried. The head has seen the same counts, so its
    /// precision is not used: it would count them twice. Where the head claims nothing, as
    /// [`Method::Fit`].
    HeadFit,
    /// As [`Method::HeadFit`], with the head's precision of each place as a prior of the fit. This
    /// counts the data twice, and brings in what the head knows about arrangements; it is here to be
    /// compared.
    HeadPrior,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Head, Self::Fit, Self::HeadPrior, Self::HeadFit];

    /// Name in tables and figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Fit => "fit",
            Self::HeadFit => "head + fit",
            Self::HeadPrior => "head as prior",
        }
    }

    /// Whether it needs a model with an offset head.
    pub fn needs_head(self) -> bool {
        self != Self::Fit
    }
}

/// The answer for one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Targets of the middle frame, in no particular order.
    pub targets: Vec<Target>,
    /// Squared residuals over pixel variance and degrees of freedom; nothing from the head alone.
    pub reduced_chi2: Option<f64>,
    /// Evaluations of the model in the fit; 0 from the head alone.
    pub evaluations: u32,
}

impl Answer {
    pub(super) fn of_head(claims: &[Claim]) -> Self {
        Self {
            targets: claims.iter().map(Claim::target).collect(),
            reduced_chi2: None,
            evaluations: 0,
        }
    }

    pub(super) fn of_fit(located: &Located) -> Self {
        Self {
            targets: located.targets.to_vec(),
            reduced_chi2: Some(located.reduced_chi2),
            evaluations: located.evaluations,
        }
    }

    /// Numbers that are not finite.
    pub fn not_finite(&self) -> usize {
        let of_target = |t: &Target| {
            let place = [t.x, t.y, t.sigma_x, t.sigma_y, t.correlation];
            let rest = [t.intensity, t.sigma_intensity, t.score];
            let all = place.into_iter().chain(rest);
            all.filter(|number| !number.is_finite()).count()
        };
        let chi2 = self.reduced_chi2.is_some_and(|chi2| !chi2.is_finite());
        self.targets.iter().map(of_target).sum::<usize>() + usize::from(chi2)
    }

    /// Answers as the metric takes them.
    pub fn detections(&self) -> Vec<Detection> {
        self.targets.iter().map(detection).collect()
    }

    /// Answers with their covariances.
    pub fn estimates(&self) -> Vec<Estimate> {
        let estimate = |target: &Target| Estimate {
            detection: detection(target),
            covariance: Covariance2::from_sigmas([
                target.sigma_x,
                target.sigma_y,
                target.correlation,
            ]),
        };
        self.targets.iter().map(estimate).collect()
    }
}

fn detection(target: &Target) -> Detection {
    Detection {
        x: target.x,
        y: target.y,
        score: target.score,
    }
}

/// Finds targets in windows by one method.
pub struct Localiser<'a> {
    network: Option<&'a dyn Network>,
    method: Method,
    locator: Locator,
}

impl<'a> Localiser<'a> {
    /// A localiser; [`Method::Fit`] needs no `network` and ignores it, [`Method::Head`] ignores
    /// `config`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the method needs a head and there is no model or none with a head, and for
    /// a `config` out of range.
    pub fn new(
        network: Option<&'a dyn Network>,
        method: Method,
        config: LocateConfig,
    ) -> Result<Self> {
        let locator = Locator::new(config).map_err(|e| Error::usage(format!("fit: {e}")))?;
        let network = network.filter(|_| method.needs_head());
        if method.needs_head() {
            check_head(network, method)?;
        }
        Ok(Self {
            network,
            method,
            locator,
        })
    }

    /// Answers for all windows of `counts`, frames of one scene in time order `(frames, 11, 11)`.
    ///
    /// `excluded` flags dead or saturated pixels with `true`: 121 flags for all frames alike, or 121
    /// for each frame. The fit leaves them out; for the head, which knows no masks, they are filled
    /// from their neighbours. What they hold does not matter. Windows are fitted in parallel; the
    /// answers are the same for any number of threads.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer than five frames, a wrong number of counts or flags, a count that
    /// is not finite where no flag excludes it, and a sequence longer than the model knows times
    /// for; [`Error::CheckFailed`] if the network answers with a value that is not finite.
    pub fn windows(&self, counts: &[f32], excluded: Option<&[bool]>) -> Result<Vec<Answer>> {
        check_counts(counts, excluded)?;
        let claims = self.claims(counts, excluded)?;
        if let (Method::Head, Some(claims)) = (self.method, &claims) {
            return Ok(claims.iter().map(|c| Answer::of_head(c)).collect());
        }
        let windows = counts.len() / FRAME_LEN + 1 - WINDOW;
        let with_precision = self.method == Method::HeadPrior;
        let fit = |workspace: &mut Workspace, window: usize| {
            let claims = claims.as_ref().map_or(&[][..], |claims| &claims[window]);
            let proposals = claims.iter();
            let proposals: Vec<Proposal> = proposals
                .filter_map(|claim| claim.proposal(with_precision))
                .collect();
            self.fit(workspace, window, counts, excluded, &proposals)
        };
        let fits = (0..windows).into_par_iter();
        fits.map_init(Workspace::new, fit).collect()
    }

    /// Answers for all windows of each trajectory; `tick` is called after each.
    ///
    /// # Errors
    /// As [`Self::windows`], naming the trajectory, or if `tick` fails.
    pub fn trajectories(
        &self,
        trajectories: &[Trajectory],
        mut tick: impl FnMut() -> Result<()>,
    ) -> Result<Vec<Vec<Answer>>> {
        let answer = |trajectory: &Trajectory| {
            let counts: Vec<f32> = trajectory.frames.iter().map(|&c| c as f32).collect();
            let answers = self.windows(&counts, None)?;
            tick()?;
            Ok(answers)
        };
        trajectories.iter().map(answer).collect()
    }

    /// What the head claims in each window; nothing for a method without it.
    fn claims(&self, counts: &[f32], excluded: Option<&[bool]>) -> Result<Option<Vec<Vec<Claim>>>> {
        let Some(network) = self.network else {
            return Ok(None);
        };
        let unit = network.head_unit().ok_or_else(no_head)?;
        let filled = fill(counts, excluded);
        let answers = network.sequence_answers(&filled)?;
        let claims = answers.chunks_exact(ANSWER_LEN).map(|answer| {
            let claims = read(answer, unit).map_err(|e| Error::CheckFailed(e.to_string()))?;
            Ok(claims.to_vec())
        });
        claims.collect::<Result<Vec<_>>>().map(Some)
    }

    fn fit(
        &self,
        workspace: &mut Workspace,
        window: usize,
        counts: &[f32],
        excluded: Option<&[bool]>,
        proposals: &[Proposal],
    ) -> Result<Answer> {
        let first = window * FRAME_LEN;
        let part = first..first + WINDOW_LEN;
        let excluded = excluded.map(|flags| flags.get(part.clone()).unwrap_or(flags));
        let located = self
            .locator
            .locate(workspace, &counts[part], excluded, proposals)
            .map_err(|e| Error::usage(format!("window {window}: {e}")))?;
        Ok(Answer::of_fit(&located))
    }
}

fn check_head(network: Option<&dyn Network>, method: Method) -> Result<()> {
    let got = match network {
        Some(network) if network.head_unit().is_some() => return Ok(()),
        Some(_) => "this one has no offset head: it answers on the grid alone",
        None => "got no model",
    };
    let name = method.name();
    Err(Error::usage(format!(
        "localisation by {name} needs a model with an offset head, {got}"
    )))
}

pub(super) fn check_counts(counts: &[f32], excluded: Option<&[bool]>) -> Result<()> {
    let (frames, rest) = (counts.len() / FRAME_LEN, counts.len() % FRAME_LEN);
    if rest != 0 || frames < WINDOW {
        return Err(Error::usage(format!(
            "localisation: {} counts, expected 5 or more frames of {FRAME_LEN}",
            counts.len()
        )));
    }
    let flags = excluded.unwrap_or(&[false; FRAME_LEN]);
    if ![FRAME_LEN, counts.len()].contains(&flags.len()) {
        return Err(Error::usage(format!(
            "localisation: {} flags of excluded pixels, expected {FRAME_LEN} or {}",
            flags.len(),
            counts.len()
        )));
    }
    let mut all = counts.iter().zip(flags.iter().cycle());
    let Some(bad) = all.position(|(count, out)| !count.is_finite() && !out) else {
        return Ok(());
    };
    let (frame, pixel) = (bad / FRAME_LEN, bad % FRAME_LEN);
    let (row, column) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
    Err(Error::usage(format!(
        "localisation: frame {frame}, row {row}, column {column} is {}, expected a finite count or \
         an excluded pixel",
        counts[bad]
    )))
}

/// Answers beside the truth of the windows' middle frames, for
/// [`evaluate`](super::metric::evaluate).
pub fn frame_results(trajectories: &[Trajectory], answers: &[Vec<Answer>]) -> Vec<FrameResult> {
    let pairs = trajectories.iter().zip(answers);
    let frames = pairs.flat_map(|(trajectory, windows)| windows.iter().zip(centres(trajectory)));
    frames
        .map(|(answer, truth)| FrameResult {
            detections: answer.detections(),
            truth: truth.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
