use super::arrangement::Formation;
use super::fit::Effort;
use super::model::{Anchor, State, TIMES};
use super::normal::Normal;
use super::packed::{ORDER, Packed, Vector, at};
use super::*;
use crate::physics::{FRAME_SIDE, Optics, PointSource};
use std::vec::Vec as List;

mod arrangement;
mod descent;
mod limits;

/// Arrangements of 1 to 4 sources, `(x, y)` about the centre of the frame, pixels.
const PLACES: [(f64, f64); 4] = [(4.62, 5.31), (5.35, 5.02), (4.95, 4.41), (5.6, 5.8)];
const VELOCITY: [f64; 2] = [0.04, -0.07];
const ACCELERATION: [f64; 2] = [0.001, -0.004];

/// Expected counts of sources in common motion over `background`.
fn window(sources: &[[f64; 3]], background: f64) -> List<f32> {
    let mut counts = List::new();
    for t in TIMES {
        let shift = |axis: usize| t * VELOCITY[axis] + 0.5 * t * t * ACCELERATION[axis];
        let moved = sources.iter().map(|&[x, y, intensity]| PointSource {
            x: x + shift(0),
            y: y + shift(1),
            intensity,
        });
        let (moved, mut frame): (List<_>, _) = (moved.collect(), [background; FRAME_LEN]);
        let rendered = Optics::SEQ_CSIST.render(&moved, &mut [0.0; FRAME_SIDE], &mut frame);
        rendered.unwrap();
        counts.extend(frame.map(|count| count as f32));
    }
    counts
}

fn places(count: usize) -> List<[f64; 3]> {
    let sources = PLACES.iter().take(count);
    sources.map(|&(x, y)| [x, y, 235.0]).collect()
}

fn rounded(mut counts: List<f32>) -> List<f32> {
    counts
        .iter_mut()
        .for_each(|count| *count = libm::rintf(*count));
    counts
}

fn config() -> LocateConfig {
    LocateConfig {
        noise: Noise::Known(0.0),
        ..LocateConfig::SEQ_CSIST
    }
}

/// Sources anywhere over no background, uncertainties by the curvature alone.
fn unarranged() -> LocateConfig {
    let mut config = config();
    config.prior.arrangement = Arrangement::UNKNOWN;
    config.prior.background_sigma = 0.0;
    config.bending_length = f64::INFINITY;
    config
}

/// Common motion only.
fn without_drift() -> LocateConfig {
    let mut config = unarranged();
    config.prior.drift_sigma = 0.0;
    config
}

fn with_background() -> LocateConfig {
    let mut config = config();
    config.prior.background_sigma = 10.0;
    config
}

/// Runs `check` with a problem over `counts`.
fn with_problem(
    config: LocateConfig,
    counts: &[f32],
    excluded: Option<&[bool]>,
    check: impl FnOnce(&Problem),
) {
    let table = ErfTable::new();
    check(&Problem {
        window: Window {
            frames: counts,
            excluded,
        },
        table: &table,
        scale: core::f64::consts::FRAC_1_SQRT_2 / 0.5,
        variance: 1.7,
        prior: config.prior,
        bending_length: config.bending_length,
    });
}

/// A state off the truth, with an anchor on its first source.
fn state(count: usize) -> State {
    let mut state = State::new(&Prior::SEQ_CSIST);
    state.globals = [1.5, 0.03, -0.05, 0.002, -0.001];
    for (k, [x, y, intensity]) in places(count).into_iter().enumerate() {
        let anchor = Anchor {
            centre: [x, y],
            precision: if k == 0 { [90.0, 20.0, 70.0] } else { [0.0; 3] },
        };
        let wobble = 0.03 * (k as f64 + 1.0);
        state.push([x + wobble, y - wobble, intensity + 4.0 * wobble], anchor);
        state.sources[k][3..].copy_from_slice(&[0.1 * wobble, -0.2 * wobble]);
    }
    state
}

fn evaluated(problem: &Problem, state: &State) -> Normal {
    let (mut descent, mut normal) = (Descent::ZERO, Normal::ZERO);
    problem.evaluate(state, &mut descent.scratch, &mut normal);
    normal
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

fn unit(i: usize, size: f64) -> Vector {
    let mut step = [0.0; ORDER];
    step[i] = size;
    step
}

/// Compares the gradient at `state` with difference quotients of the cost.
fn check_gradient(problem: &Problem, state: &State) {
    let descent = evaluated(problem, state).descent;
    for i in 0..state.order() {
        let step = 1e-6;
        let ahead = evaluated(problem, &state.moved(&unit(i, step))).cost;
        let behind = evaluated(problem, &state.moved(&unit(i, -step))).cost;
        let (slope, got) = ((ahead - behind) / (2.0 * step), -at(&descent, i));
        assert!(close(got, slope, 1e-5), "{i}: {got} {slope}");
    }
}

#[test]
fn the_gradient_is_that_of_the_cost() {
    let counts = window(&places(3), 2.0);
    with_problem(with_background(), &counts, None, |problem| {
        let mut state = state(3);
        check_gradient(problem, &state);
        // Two sources closer than the separation, and both belief and layout of a cross.
        state.sources[1][0] = state.sources[0][0] + 0.2;
        state.sources[1][1] = state.sources[0][1] - 0.1;
        check_gradient(problem, &state);
        for cross in Formation::crosses(3) {
            state.formation = cross;
            check_gradient(problem, &state);
        }
    });
}

/// `JᵀJ` against difference quotients of the residuals, which are linear in the model.
#[test]
fn the_curvature_is_gauss_and_newtons() {
    let counts = window(&places(3), 2.0);
    with_problem(with_background(), &counts, None, |problem| {
        let state = state(3);
        let normal = evaluated(problem, &state);
        let flat = evaluated_without_data(problem, &state);
        let residuals = |state: &State| {
            let mut all = List::new();
            let mut descent = Descent::ZERO;
            for index in 0..5 {
                let frame = problem.residual(state, index, &mut descent.scratch);
                all.extend(frame);
            }
            all
        };
        let column = |i: usize| -> List<f64> {
            let (ahead, behind) = (1e-5, -1e-5);
            let a = residuals(&state.moved(&unit(i, ahead)));
            let b = residuals(&state.moved(&unit(i, behind)));
            a.iter().zip(&b).map(|(a, b)| (a - b) / 2e-5).collect()
        };
        let columns: List<List<f64>> = (0..state.order()).map(column).collect();
        for (i, a) in columns.iter().enumerate() {
            for (j, b) in columns.iter().enumerate() {
                let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let expected = product / problem.variance + flat.matrix.get(i, j);
                let got = normal.matrix.get(i, j);
                assert!(close(got, expected, 1e-5), "{i} {j}: {got} {expected}");
            }
        }
    });
}

/// What the priors alone contribute: the same evaluation over a window without any pixel.
fn evaluated_without_data(problem: &Problem, state: &State) -> Normal {
    let excluded = [true; FRAME_LEN];
    let mut empty = *problem;
    empty.window.excluded = Some(&excluded);
    evaluated(&empty, state)
}

#[test]
fn products_of_profiles_equal_the_direct_sum() {
    let counts = window(&places(4), 0.0);
    let mut flags = [false; FRAME_LEN];
    flags[0] = true;
    let (mut by_products, mut by_sum) = (Normal::ZERO, Normal::ZERO);
    let state = state(4);
    with_problem(with_background(), &counts, None, |problem| {
        by_products = evaluated(problem, &state);
    });
    // The excluded corner sees nothing of the sources; only the background misses it.
    with_problem(with_background(), &counts, Some(&flags), |problem| {
        by_sum = evaluated(problem, &state);
    });
    for i in 1..state.order() {
        assert!(close(
            at(&by_products.descent, i),
            at(&by_sum.descent, i),
            1e-9
        ));
        for j in 1..=i {
            let (a, b) = (by_products.matrix.get(i, j), by_sum.matrix.get(i, j));
            assert!(close(a, b, 1e-9), "{i} {j}: {a} {b}");
        }
    }
    assert_eq!(by_products.pixels - by_sum.pixels, 5.0);
}

#[test]
fn factors_solve_and_refuse() {
    let mut matrix = Packed::ZERO;
    for i in 0..6 {
        for j in 0..=i {
            matrix.add(i, j, 1.0 / (1.0 + i as f64 + j as f64));
        }
    }
    let mut factor = Packed::ZERO;
    assert!(factor.factor(&matrix, 6, 0.0));
    let mut solution = unit(2, 1.0);
    factor.solve(6, &mut solution);
    for i in 0..6 {
        let product: f64 = (0..6).map(|j| matrix.get(i, j) * at(&solution, j)).sum();
        let expected = if i == 2 { 1.0 } else { 0.0 };
        assert!((product - expected).abs() < 1e-7, "{i}: {product}");
    }
    matrix.add(5, 5, -0.2);
    assert!(!factor.factor(&matrix, 6, 0.0));
    matrix.add(5, 5, f64::NAN);
    assert!(!factor.factor(&matrix, 6, 0.0));
}

/// The maximum of the posterior is the truth where the truth has the priors' means.
#[test]
fn exact_counts_give_exact_positions() {
    for count in 1..=4 {
        let mut config = unarranged();
        config.tolerance = 1e-14;
        config.prior.velocity_sigma = 1e4;
        config.prior.acceleration_sigma = 1e4;
        let truth = places(count);
        let counts = window(&truth, 0.0);
        let locator = Locator::new(config).unwrap();
        let mut workspace = Workspace::new();
        let found = locator.locate(&mut workspace, &counts, None, &[]).unwrap();
        assert_eq!(found.targets.len(), count);
        for [x, y, _] in truth {
            let distance = |target: &Target| (target.x - x).hypot(target.y - y);
            let least = found.targets.iter().map(distance).fold(f64::MAX, f64::min);
            assert!(least < 1e-6, "{count} sources: {least}");
        }
        assert!((found.velocity[1] - VELOCITY[1]).abs() < 1e-6);
        assert!(found.converged && !found.singular && found.reduced_chi2 < 1e-9);
    }
}

/// Gauss–Jordan, as unlike the factor as can be.
fn inverse(mut matrix: List<List<f64>>) -> List<List<f64>> {
    let n = matrix.len();
    for (i, row) in matrix.iter_mut().enumerate() {
        row.extend((0..n).map(|j| if i == j { 1.0 } else { 0.0 }));
    }
    for i in 0..n {
        let pivot = (i..n).max_by(|&a, &b| matrix[a][i].abs().total_cmp(&matrix[b][i].abs()));
        matrix.swap(i, pivot.unwrap());
        let lead = matrix[i].clone();
        for (j, row) in matrix.iter_mut().enumerate() {
            let factor = if j == i {
                1.0 - 1.0 / lead[i]
            } else {
                row[i] / lead[i]
            };
            row.iter_mut()
                .zip(&lead)
                .for_each(|(a, b)| *a -= factor * b);
        }
    }
    matrix.into_iter().map(|row| row[n..].to_vec()).collect()
}

/// The covariance of a clear maximum is the inverse of a Fisher matrix summed pixel by pixel from
/// difference quotients of rendered frames.
#[test]
fn covariances_invert_an_independent_fisher_matrix() {
    let truth = places(2);
    let mut config = LocateConfig {
        noise: Noise::Known(1.0),
        tolerance: 1e-14,
        ..without_drift()
    };
    (config.prior.velocity_sigma, config.prior.acceleration_sigma) = (10.0, 1.0);
    let counts = window(&truth, 0.0);
    let found = Locator::new(config).unwrap();
    let found = found
        .locate(&mut Workspace::new(), &counts, None, &[])
        .unwrap();

    let render = |parameters: &[f64]| -> List<f64> {
        let motion = &parameters[..4];
        let frame = |t: f64| {
            let sources: List<PointSource> = parameters[4..]
                .chunks(3)
                .map(|s| PointSource {
                    x: s[0] + t * motion[0] + 0.5 * t * t * motion[2],
                    y: s[1] + t * motion[1] + 0.5 * t * t * motion[3],
                    intensity: s[2],
                })
                .collect();
            let mut frame = [0.0; FRAME_LEN];
            let optics = Optics::SEQ_CSIST;
            optics
                .render(&sources, &mut [0.0; FRAME_SIDE], &mut frame)
                .unwrap();
            frame
        };
        TIMES.iter().flat_map(|&t| frame(t)).collect()
    };
    let mut centre = [VELOCITY, ACCELERATION].concat();
    centre.extend(truth.concat());
    let column = |i: usize| -> List<f64> {
        let (mut ahead, mut behind) = (centre.clone(), centre.clone());
        ahead[i] += 1e-4;
        behind[i] -= 1e-4;
        let pairs = render(&ahead).into_iter().zip(render(&behind));
        pairs.map(|(a, b)| (a - b) / 2e-4).collect()
    };
    let columns: List<List<f64>> = (0..centre.len()).map(column).collect();
    let prior = [10.0, 10.0, 1.0, 1.0].map(|sigma: f64| sigma.powi(-2));
    let field = 12.0 / 121.0;
    let source = [field, field, 8.66_f64.powi(-2)];
    let added: List<f64> = prior.into_iter().chain(source).chain(source).collect();
    let element = |i: usize, j: usize| {
        let dot: f64 = columns[i].iter().zip(&columns[j]).map(|(a, b)| a * b).sum();
        dot / (1.0 + 1.0 / 12.0) + if i == j { added[i] } else { 0.0 }
    };
    let n = centre.len();
    let fisher = (0..n)
        .map(|i| (0..n).map(|j| element(i, j)).collect())
        .collect();
    let covariance = inverse(fisher);
    for (k, [x, y, _]) in truth.into_iter().enumerate() {
        let near = |target: &&Target| (target.x - x).hypot(target.y - y) < 1e-3;
        let target = found.targets.iter().find(near).unwrap();
        let first = 4 + 3 * k;
        let xy = target.correlation * target.sigma_x * target.sigma_y;
        let scale = covariance[first][first];
        assert!((target.sigma_x.powi(2) - covariance[first][first]).abs() < 1e-4 * scale);
        assert!((target.sigma_y.powi(2) - covariance[first + 1][first + 1]).abs() < 1e-4 * scale);
        assert!((xy - covariance[first][first + 1]).abs() < 1e-4 * scale);
        let intensity = covariance[first + 2][first + 2];
        assert!((target.sigma_intensity.powi(2) - intensity).abs() < 1e-4 * intensity);
    }
}

#[test]
fn excluded_pixels_do_not_matter() {
    let counts = rounded(window(&places(3), 0.0));
    let locator = Locator::new(config()).unwrap();
    let mut workspace = Workspace::new();
    let dead = 5 * FRAME_SIDE + 5;
    let mut flags = [false; FRAME_LEN];
    flags[dead] = true;
    let mut locate = |counts: &[f32], flags: &[bool]| {
        locator
            .locate(&mut workspace, counts, Some(flags), &[])
            .unwrap()
    };
    let found = locate(&counts, &flags);
    let everywhere = flags.repeat(5);
    assert_eq!(found, locate(&counts, &everywhere));
    for absurd in [0.0, -1e30, 65_535.0, f32::NAN, f32::INFINITY] {
        let mut spoilt = counts.clone();
        spoilt
            .iter_mut()
            .skip(dead)
            .step_by(FRAME_LEN)
            .for_each(|count| *count = absurd);
        assert_eq!(found, locate(&spoilt, &flags));
    }
    assert_eq!(found.targets.len(), 3);
    for [x, y, _] in places(3) {
        let near = |target: &Target| (target.x - x).hypot(target.y - y) < 0.05;
        assert!(found.targets.iter().any(near), "{:?}", found.targets);
    }
}

fn sound(found: &Located) {
    for target in &found.targets {
        assert!(target.x.is_finite() && target.y.is_finite() && target.intensity.is_finite());
        assert!(target.sigma_x >= 0.0 && target.sigma_y >= 0.0 && target.sigma_intensity >= 0.0);
        assert!((-1.0..=1.0).contains(&target.correlation));
        assert!((0.0..=1.0).contains(&target.score));
    }
    assert!(found.reduced_chi2.is_finite() && found.noise.is_finite());
    assert!(found.evaluations < 3_000, "{}", found.evaluations);
}

fn proposal(x: f64, y: f64, precision: Option<[f64; 3]>) -> Proposal {
    Proposal {
        x,
        y,
        intensity: 235.0,
        precision,
    }
}

#[test]
fn proposals_with_beliefs_pull_and_start() {
    let truth = places(4);
    let counts = rounded(window(&truth, 0.0));
    let locator = Locator::new(unarranged()).unwrap();
    let mut workspace = Workspace::new();
    let mut near = |offset: f64, precision| {
        let list: List<Proposal> = truth
            .iter()
            .map(|&[x, y, _]| proposal(x + offset, y - offset, precision))
            .collect();
        locator
            .locate(&mut workspace, &counts, None, &list)
            .unwrap()
    };
    let (free, held) = (near(0.05, None), near(0.05, Some([1e8, 0.0, 1e8])));
    assert_eq!(held.starts, 1);
    for [x, y, _] in &truth {
        let within = |found: &Located, x: f64, y: f64, bound: f64| {
            let near = |target: &Target| (target.x - x).hypot(target.y - y) < bound;
            found.targets.iter().any(near)
        };
        assert!(within(&free, *x, *y, 0.03));
        assert!(within(&held, x + 0.05, y - 0.05, 1e-3));
    }
    // One proposal short, or one too many: total flux says so.
    let list: List<Proposal> = places(3)
        .iter()
        .map(|&[x, y, _]| proposal(x, y, None))
        .collect();
    let found = locator
        .locate(&mut workspace, &counts, None, &list)
        .unwrap();
    assert_eq!(found.targets.len(), 4);
    let three = rounded(window(&places(3), 0.0));
    let list: List<Proposal> = truth
        .iter()
        .map(|&[x, y, _]| proposal(x, y, None))
        .collect();
    let found = locator.locate(&mut workspace, &three, None, &list).unwrap();
    assert_eq!(found.targets.len(), 3);
}

#[test]
fn precision_is_a_disc_of_a_gaussian() {
    let isotropic = |sigma: f64| {
        let share = |delta: &f64| 1.0 - (-0.5 * (delta / sigma).powi(2)).exp();
        let shares = crate::metric::THRESHOLDS.iter().map(share);
        shares.sum::<f64>() / 5.0
    };
    for sigma in [1e-3, 0.05, 0.2, 3.0] {
        let square = sigma * sigma;
        assert!((score::precision([square, 0.0, square]) - isotropic(sigma)).abs() < 1e-12);
    }
    // Turned by 45°, and against a fine sum over the plane.
    let (xx, xy) = (0.012, 0.008);
    let (wide, narrow) = (xx + xy, xx - xy);
    let mut sum = 0.0;
    let step = 0.0025;
    for i in -120..120 {
        for j in -120..120 {
            let (u, v) = (step * (f64::from(i) + 0.5), step * (f64::from(j) + 0.5));
            let hits = crate::metric::THRESHOLDS
                .iter()
                .filter(|d| u.hypot(v) <= **d);
            let density = (-0.5 * (u * u / wide + v * v / narrow)).exp();
            sum += density * hits.count() as f64 / 5.0;
        }
    }
    sum *= step * step / (core::f64::consts::TAU * (wide * narrow).sqrt());
    assert!((score::precision([xx, xy, xx]) - sum).abs() < 1e-3, "{sum}");
}

#[test]
fn profiles_match_the_physics() {
    let table = ErfTable::new();
    for sigma in [0.3, 0.5, 0.9] {
        let scale = core::f64::consts::FRAC_1_SQRT_2 / sigma;
        for step in -40..160 {
            let u = 0.083 * f64::from(step);
            let (mut got, mut exact) = (profile::Profile::ZERO, [0.0; FRAME_SIDE]);
            got.fill(&table, u, scale);
            let optics = Optics::new(FRAME_SIDE, 3, sigma).unwrap();
            optics.fill_profile(u, &mut exact).unwrap();
            for (pixel, exact) in exact.iter().enumerate() {
                assert!(
                    (got.value[pixel] - exact).abs() < 2e-9,
                    "{sigma} {u} {pixel}"
                );
                let edge = |offset: f64| {
                    let z = (pixel as f64 + offset - u) * scale;
                    (-z * z).exp()
                };
                let root = core::f64::consts::PI.sqrt();
                let slope = scale / root * (edge(-0.5) - edge(0.5));
                assert!(
                    (got.slope[pixel] - slope).abs() < 1e-8 / sigma,
                    "{sigma} {u} {pixel}"
                );
            }
        }
    }
}
