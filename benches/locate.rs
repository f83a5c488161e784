//! The fit of point sources to a window, on one thread, beside a Rust least-squares library.
//!
//! Jobs: `fit alone` is the shipped configuration, which finds counts, arrangement and starts by itself;
//! `from proposals` knows nothing of arrangements and no background, and starts from positions that
//! miss the truth by a drawn 0.02 px and carry that precision, as a network's would; `peer` is the
//! crate `levenberg-marquardt` (MINPACK's algorithm on dense Jacobians) on that same model with the
//! same priors and starts, for the known number of sources, without covariances and scores. Prints,
//! per noise level: windows per second (median and fastest of the rounds), model evaluations and
//! profiles (11 pixels of one axis; as if all evaluations had the count found) per window, and the share of the peer's positions that the fit
//! from proposals shares to 1e-3 px.
//!
//! Multiply-adds count the inner loops of an evaluation: profiles, residual, gradient, inner products
//! and factor.
//!
//! `-- --test` runs one round on few windows. `-- --count rules 2` fits the windows of one arrangement
//! and noise level once, alone, for a counter of instructions:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='derefnet_core::locate::Locator::locate*' \
//!     target/release/deps/locate-<hash> --count rules 2
//! ```

use std::time::Instant;

use derefnet::dataset::Split;
use derefnet::rng::Rng;
use derefnet::scene::{Arrangement as Arranged, SceneConfig, generate};
use derefnet::{Error, Result};
use derefnet_benches::{SEED, median};
use derefnet_core::locate::{
    Arrangement, LocateConfig, Located, Locator, Noise, Prior, Proposal, WINDOW_LEN, Workspace,
};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, Optics, PSF_SIGMA, WINDOW};
use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::storage::Owned;
use nalgebra::{DMatrix, DVector, Dyn};

/// Measured rounds, after one that is not counted.
const ROUNDS: usize = 5;
/// Trajectories, of which the middle window is taken.
const TRAJECTORIES: u64 = 200;
/// Deviation of the proposals per axis, pixels.
const MISS: f64 = 0.02;
const NOISES: [f64; 3] = [0.0, 2.0, 5.0];

struct Case {
    frames: Vec<f32>,
    proposals: Vec<Proposal>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, arrangement, noise] = &words[..]
        && first == "--count"
    {
        return count(arrangement, noise);
    }
    let quick = std::env::args().any(|arg| arg == "--test");
    let (rounds, trajectories) = if quick {
        (1, 4)
    } else {
        (ROUNDS, TRAJECTORIES)
    };
    println!("locate: {trajectories} windows of 2 to 4 targets, one thread");
    for noise in NOISES {
        let cases: Vec<Case> = (0..trajectories)
            .map(|index| case(Arranged::Rules, noise, index))
            .collect();
        measure(noise, &cases, rounds)?;
    }
    Ok(())
}

/// Fits every window of one kind once and says how many there were.
fn count(arrangement: &str, noise: &str) -> Result<()> {
    let arranged = match arrangement {
        "rules" => Arranged::Rules,
        "free" => Arranged::Free,
        _ => {
            return Err(Error::usage(format!(
                "{arrangement}, expected rules or free"
            )));
        }
    };
    let sigma: f64 = noise
        .parse()
        .map_err(|_| Error::usage(format!("{noise}, expected a number of counts")))?;
    let fail = |error: derefnet_core::Error| Error::usage(error.to_string());
    let locator = Locator::new(LocateConfig::SEQ_CSIST).map_err(fail)?;
    let mut workspace = Workspace::new();
    let (mut evaluations, mut operations) = (0, 0.0);
    for index in 0..TRAJECTORIES {
        let case = case(arranged, sigma, index);
        let found = locator
            .locate(&mut workspace, &case.frames, None, &[])
            .map_err(fail)?;
        evaluations += found.evaluations;
        operations += multiply_adds(&found);
    }
    let windows = TRAJECTORIES as f64;
    println!(
        "{TRAJECTORIES} windows, {arrangement}, σ = {sigma}: {:.1} evaluations, {:.2} M multiply-adds each",
        f64::from(evaluations) / windows,
        1e-6 * operations / windows
    );
    Ok(())
}

/// Multiply-adds of the inner loops of all evaluations of `found`, as if all had the count found and
/// no velocities of their own.
fn multiply_adds(found: &Located) -> f64 {
    let sources = found.targets.len() as f64;
    let (pixels, side, frames) = (FRAME_LEN as f64, FRAME_SIDE as f64, WINDOW as f64);
    let profiles = 2.0 * sources * (side + 1.0) * 12.0;
    let residual = sources * (pixels + side);
    let gradient = sources * (2.0 * pixels + 3.0 * side);
    let products = 0.5 * sources * (sources + 1.0) * (8.0 * side + 27.0);
    let order = 5.0 + 3.0 * sources;
    let solve = order * order * order / 6.0 + order * order;
    f64::from(found.evaluations) * (frames * (profiles + residual + gradient + products) + solve)
}

fn case(arrangement: Arranged, noise: f64, index: u64) -> Case {
    let scene = SceneConfig {
        arrangement,
        noise: [noise; 2],
        ..SceneConfig::default()
    };
    let trajectory = generate(&scene, SEED, Split::Validation, index);
    let first = trajectory.truth.len() / 2 - WINDOW / 2;
    let counts = trajectory.frames.iter().map(|&count| count as f32);
    let mut rng = Rng::new(SEED, *b"proposal", index);
    let truth = &trajectory.truth[first + WINDOW / 2];
    let near = truth.iter().map(|target| {
        let (dx, dy) = rng.gaussian_pair();
        Proposal {
            x: target.x + MISS * dx,
            y: target.y + MISS * dy,
            intensity: Prior::SEQ_CSIST.intensity_mean,
            precision: Some([1.0 / (MISS * MISS), 0.0, 1.0 / (MISS * MISS)]),
        }
    });
    Case {
        proposals: near.collect(),
        frames: counts.skip(first * FRAME_LEN).take(WINDOW_LEN).collect(),
    }
}

/// Windows per second of `job` over all cases, one value per round.
fn rates(cases: &[Case], rounds: usize, mut job: impl FnMut(&Case)) -> Vec<f64> {
    let round = |_| {
        let start = Instant::now();
        cases.iter().for_each(&mut job);
        cases.len() as f64 / start.elapsed().as_secs_f64()
    };
    (0..=rounds).map(round).skip(1).collect()
}

fn measure(noise: f64, cases: &[Case], rounds: usize) -> Result<()> {
    let config = LocateConfig {
        noise: Noise::Known(noise),
        ..LocateConfig::SEQ_CSIST
    };
    let plain = LocateConfig {
        prior: Prior {
            arrangement: Arrangement::UNKNOWN,
            background_sigma: 0.0,
            ..config.prior
        },
        ..config
    };
    let fail = |error: derefnet_core::Error| Error::usage(error.to_string());
    let alone = Locator::new(config).map_err(fail)?;
    let proposed = Locator::new(plain).map_err(fail)?;
    let mut workspace = Workspace::new();
    println!("\nσ = {noise}          windows/s   fastest  evaluations  profiles");
    for (name, locator, uses) in [
        ("fit alone", &alone, false),
        ("from proposals", &proposed, true),
    ] {
        let mut found: Vec<Located> = Vec::new();
        let rates = rates(cases, rounds, |case| {
            let proposals = if uses { &case.proposals[..] } else { &[] };
            let located = locator.locate(&mut workspace, &case.frames, None, proposals);
            found.extend(located);
        });
        let windows = found.len() as f64;
        let evaluations = found.iter().map(|f| f64::from(f.evaluations));
        let profiles = found.iter().map(|f| {
            let axes = 2 * WINDOW * f.targets.len();
            f64::from(f.evaluations) * axes as f64
        });
        let work = [evaluations.sum::<f64>(), profiles.sum::<f64>()];
        row(name, &rates, work.map(|sum| sum / windows));
    }
    let mut evaluations = 0;
    let rates = rates(cases, rounds, |case| {
        evaluations += Peer::solve(case, noise).1
    });
    let evaluations = evaluations as f64 / (cases.len() * (rounds + 1)) as f64;
    let sources: usize = cases.iter().map(|case| case.proposals.len()).sum();
    let profiles = evaluations * (2 * WINDOW * sources) as f64 / cases.len() as f64;
    row("peer", &rates, [evaluations, profiles]);
    println!(
        "  same positions: {:.1} %",
        100.0 * agreement(&proposed, cases, noise)
    );
    Ok(())
}

fn row(name: &str, rates: &[f64], [evaluations, profiles]: [f64; 2]) {
    let fastest = rates.iter().copied().fold(0.0, f64::max);
    let rate = median(rates);
    println!("  {name:<15} {rate:>9.0} {fastest:>9.0} {evaluations:>12.1} {profiles:>9.0}");
}

/// Share of the peer's positions that the fit finds to 1e-3 px.
fn agreement(locator: &Locator, cases: &[Case], noise: f64) -> f64 {
    let (mut same, mut all) = (0, 0);
    for case in cases {
        let (positions, _) = Peer::solve(case, noise);
        let located = locator.locate(&mut Workspace::new(), &case.frames, None, &case.proposals);
        let Ok(located) = located else { continue };
        all += positions.len();
        let near = |&(x, y): &(f64, f64)| {
            let mut targets = located.targets.iter();
            targets.any(|target| (target.x - x).hypot(target.y - y) < 1e-3)
        };
        same += positions.iter().filter(|position| near(position)).count();
    }
    same as f64 / all.max(1) as f64
}

/// Common motion, then row, column, intensity and own velocity of each source.
const MOTION: usize = 4;
const SOURCE: usize = 5;

/// The same least-squares problem for the library: residuals of the pixels, then of the priors.
struct Peer<'a> {
    case: &'a Case,
    deviation: f64,
    parameters: DVector<f64>,
    evaluations: usize,
}

impl<'a> Peer<'a> {
    /// Positions found and evaluations of the model.
    fn solve(case: &'a Case, noise: f64) -> (Vec<(f64, f64)>, usize) {
        let mut start = vec![0.0; MOTION];
        for p in &case.proposals {
            start.extend([p.x, p.y, p.intensity, 0.0, 0.0]);
        }
        let peer = Self {
            case,
            deviation: (noise * noise + 1.0 / 12.0).sqrt(),
            parameters: DVector::from_vec(start),
            evaluations: 0,
        };
        // As near to the maximum as the fit's own tolerance leads on these problems.
        let library = LevenbergMarquardt::new().with_ftol(1e-8).with_xtol(1e-6);
        let (solved, _) = library.minimize(peer);
        let sources = solved.parameters.as_slice()[MOTION..].chunks(SOURCE);
        (sources.map(|s| (s[0], s[1])).collect(), solved.evaluations)
    }

    /// Row and column profiles of every source in frame `t`, with slopes.
    fn profiles(&self, t: f64) -> Vec<[[[f64; FRAME_SIDE]; 2]; 2]> {
        let p = self.parameters.as_slice();
        let sources = p[MOTION..].chunks(SOURCE);
        let at =
            |s: &[f64], axis: usize| s[axis] + t * (p[axis] + s[3 + axis] + 0.5 * t * p[2 + axis]);
        sources
            .map(|s| [0, 1].map(|axis| profile(at(s, axis))))
            .collect()
    }

    fn sigmas(&self) -> Vec<f64> {
        let prior = Prior::SEQ_CSIST;
        let (velocity, acceleration) = (prior.velocity_sigma, prior.acceleration_sigma);
        let mut sigmas = vec![velocity, velocity, acceleration, acceleration];
        for _ in &self.case.proposals {
            let drift = prior.drift_sigma;
            sigmas.extend([MISS, MISS, prior.intensity_sigma, drift, drift]);
        }
        sigmas
    }

    fn means(&self) -> Vec<f64> {
        let mut means = vec![0.0; MOTION];
        for p in &self.case.proposals {
            means.extend([p.x, p.y, Prior::SEQ_CSIST.intensity_mean, 0.0, 0.0]);
        }
        means
    }
}

/// Responses of the pixels to a unit source at `u`, and their derivatives.
fn profile(u: f64) -> [[f64; FRAME_SIDE]; 2] {
    let (mut value, mut slope) = ([0.0; FRAME_SIDE], [0.0; FRAME_SIDE]);
    let filled = Optics::SEQ_CSIST.fill_profile(u, &mut value);
    filled.expect("one response per pixel");
    let edge = |offset: f64| (-0.5 * ((offset - u) / PSF_SIGMA).powi(2)).exp();
    let scale = 1.0 / (PSF_SIGMA * std::f64::consts::TAU.sqrt());
    let mut lower = edge(-0.5);
    for (pixel, slope) in slope.iter_mut().enumerate() {
        let upper = edge(pixel as f64 + 0.5);
        *slope = scale * (lower - upper);
        lower = upper;
    }
    [value, slope]
}

fn times() -> impl Iterator<Item = f64> {
    (-2..=2).map(f64::from)
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Peer<'_> {
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;
    type ParameterStorage = Owned<f64, Dyn>;

    fn set_params(&mut self, parameters: &DVector<f64>) {
        self.parameters.clone_from(parameters);
        self.evaluations += 1;
    }

    fn params(&self) -> DVector<f64> {
        self.parameters.clone()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let p = self.parameters.as_slice();
        let mut residuals = Vec::with_capacity(WINDOW_LEN + p.len());
        for (t, counts) in times().zip(self.case.frames.chunks_exact(FRAME_LEN)) {
            let profiles = self.profiles(t);
            for (i, &count) in counts.iter().enumerate() {
                let sources = p[MOTION..].chunks(SOURCE).zip(&profiles);
                let lit = |(s, [rows, columns]): (&[f64], &[[[f64; FRAME_SIDE]; 2]; 2])| {
                    s[2] * rows[0][i / FRAME_SIDE] * columns[0][i % FRAME_SIDE]
                };
                let expected: f64 = sources.map(lit).sum();
                residuals.push((expected - f64::from(count)) / self.deviation);
            }
        }
        let priors = p.iter().zip(self.means()).zip(self.sigmas());
        residuals.extend(priors.map(|((value, mean), sigma)| (value - mean) / sigma));
        Some(DVector::from_vec(residuals))
    }

    fn jacobian(&self) -> Option<DMatrix<f64>> {
        let p = self.parameters.as_slice();
        let mut jacobian = DMatrix::zeros(WINDOW_LEN + p.len(), p.len());
        for (frame, t) in times().enumerate() {
            let profiles = self.profiles(t);
            for (k, [rows, columns]) in profiles.iter().enumerate() {
                let (first, intensity) = (MOTION + SOURCE * k, p[MOTION + SOURCE * k + 2]);
                for i in 0..FRAME_LEN {
                    let (row, column) = (i / FRAME_SIDE, i % FRAME_SIDE);
                    let by_row = intensity * rows[1][row] * columns[0][column] / self.deviation;
                    let by_column = intensity * rows[0][row] * columns[1][column] / self.deviation;
                    let line = frame * FRAME_LEN + i;
                    jacobian[(line, first)] = by_row;
                    jacobian[(line, first + 1)] = by_column;
                    jacobian[(line, first + 2)] =
                        rows[0][row] * columns[0][column] / self.deviation;
                    jacobian[(line, first + 3)] = t * by_row;
                    jacobian[(line, first + 4)] = t * by_column;
                    jacobian[(line, 0)] += t * by_row;
                    jacobian[(line, 1)] += t * by_column;
                    jacobian[(line, 2)] += 0.5 * t * t * by_row;
                    jacobian[(line, 3)] += 0.5 * t * t * by_column;
                }
            }
        }
        for (i, sigma) in self.sigmas().into_iter().enumerate() {
            jacobian[(WINDOW_LEN + i, i)] = 1.0 / sigma;
        }
        Some(jacobian)
    }
}
