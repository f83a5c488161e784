use super::*;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, PSF_SIGMA};

fn target(x: f64, y: f64) -> Target {
    Target {
        x,
        y,
        intensity: 230.0,
    }
}

/// `frames` frames of targets that move together by `(0.04, -0.03)` a frame.
fn moving(targets: &[Target], frames: usize) -> Vec<Vec<Target>> {
    let at = |index: usize| {
        let time = index as f64 - (frames / 2) as f64;
        let shifted = |t: &Target| Target {
            x: t.x + 0.04 * time,
            y: t.y - 0.03 * time,
            ..*t
        };
        targets.iter().map(shifted).collect()
    };
    (0..frames).map(at).collect()
}

fn three() -> Vec<Target> {
    vec![target(4.3, 5.1), target(4.75, 5.3), target(4.4, 5.75)]
}

/// An isolated source of known intensity, in one frame.
const ALONE: BoundOptions = BoundOptions {
    places: Places::Anywhere,
    motion_degree: 0,
    intensity_sigma: Some(1e-9),
    drift_sigma: None,
    background: false,
};

/// Integral of `f` over one pixel by Simpson's rule with 40 strips an axis.
fn over_pixel(row: usize, column: usize, f: impl Fn(f64, f64) -> f64) -> f64 {
    let strips = 40;
    let weight = |k: usize| match k {
        0 => 1.0,
        k if k == strips => 1.0,
        k => 2.0 + 2.0 * (k % 2) as f64,
    };
    let at = |centre: usize, k: usize| centre as f64 - 0.5 + k as f64 / strips as f64;
    let mut sum = 0.0;
    for a in 0..=strips {
        for b in 0..=strips {
            sum += weight(a) * weight(b) * f(at(row, a), at(column, b));
        }
    }
    sum / (9.0 * (strips * strips) as f64)
}

/// The derivative of the point spread function, integrated numerically, instead of the closed form.
#[test]
fn isolated_source_against_numeric_integration() {
    let source = target(4.3, 5.1);
    let spread = |x: f64, y: f64| {
        let square = ((x - source.x).powi(2) + (y - source.y).powi(2)) / PSF_SIGMA.powi(2);
        (-0.5 * square).exp() / (std::f64::consts::TAU * PSF_SIGMA.powi(2))
    };
    let slope_x = |x: f64, y: f64| (x - source.x) / PSF_SIGMA.powi(2) * spread(x, y);
    let slope_y = |x: f64, y: f64| (y - source.y) / PSF_SIGMA.powi(2) * spread(x, y);
    let mut sums = [0.0; 3];
    for pixel in 0..FRAME_LEN {
        let (row, column) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
        let dx = source.intensity * over_pixel(row, column, slope_x);
        let dy = source.intensity * over_pixel(row, column, slope_y);
        sums = [sums[0] + dx * dx, sums[1] + dx * dy, sums[2] + dy * dy];
    }
    let variance = 4.0 + ROUNDING;
    let determinant = sums[0] * sums[2] - sums[1] * sums[1];
    let expected = Covariance2 {
        xx: variance * sums[2] / determinant,
        xy: -variance * sums[1] / determinant,
        yy: variance * sums[0] / determinant,
    };
    let found = bound(&[vec![source]], 2.0, &ALONE).unwrap()[0];
    for (a, b) in [
        (found.xx, expected.xx),
        (found.xy, expected.xy),
        (found.yy, expected.yy),
    ] {
        // h⁴/180 of a fourth derivative of 15/σ⁴ of the value: 5e-7.
        assert!((a - b).abs() < 1e-6 * expected.xx, "{found:?} {expected:?}");
    }
}

/// Infinitely small pixels of the same noise per area would give `√v · 2 σ² √(2π) / intensity` per
/// axis, because `∫ (∂h/∂x)² = 1/(8π σ⁴)`. Real pixels lose some of that and never gain.
#[test]
fn pixels_lose_information_against_the_continuous_limit() {
    let found = bound(&[vec![target(5.0, 5.0)]], 2.0, &ALONE).unwrap()[0];
    let sigma = (4.0_f64 + ROUNDING).sqrt();
    let continuous =
        sigma * 2.0 * PSF_SIGMA * PSF_SIGMA * (2.0 * std::f64::consts::PI).sqrt() / 230.0;
    let ratio = found.xx.sqrt() / continuous;
    assert!((1.0..2.0).contains(&ratio), "{ratio}");
    assert!((found.xx - found.yy).abs() < 1e-12 * found.xx);
    assert!(found.xy.abs() < 1e-12 * found.xx);
}

/// Standing still, positions and a common velocity share no information: five frames are five
/// times one frame.
#[test]
fn still_targets_gain_with_the_number_of_frames() {
    let unknown = BoundOptions {
        intensity_sigma: None,
        ..BoundOptions::default()
    };
    let one = BoundOptions {
        motion_degree: 0,
        ..unknown
    };
    let single = bound(&[three()], 1.0, &one).unwrap();
    for frames in [3, 5, 9] {
        let many = bound(&vec![three(); frames], 1.0, &unknown).unwrap();
        for (a, b) in many.iter().zip(&single) {
            let gain = b.trace() / a.trace();
            assert!((gain - frames as f64).abs() < 1e-8 * gain, "{gain}");
        }
    }
}

#[test]
fn more_frames_and_more_knowledge_never_hurt() {
    let truth = moving(&three(), 5);
    let default = BoundOptions::default();
    let rmse = |truth: &[Vec<Target>], options: &BoundOptions| {
        let information = Information::new(truth, options).unwrap();
        information.bound(2.0).unwrap().rmse()
    };
    let reference = rmse(&truth, &default);
    assert!(rmse(&truth[1..4], &default) > reference);
    assert!(rmse(&moving(&three(), 7), &default) < reference);
    let worse = [
        BoundOptions {
            motion_degree: 2,
            ..default
        },
        BoundOptions {
            intensity_sigma: None,
            ..default
        },
        BoundOptions {
            drift_sigma: Some(0.01),
            ..default
        },
        BoundOptions {
            background: true,
            ..default
        },
    ];
    for options in worse {
        assert!(rmse(&truth, &options) > reference, "{options:?}");
    }
    let known = BoundOptions {
        motion_degree: 0,
        ..default
    };
    assert!(rmse(&truth, &known) < reference);
}

/// Without anything known beforehand every variance is proportional to that of the noise.
#[test]
fn variance_scales_with_the_noise() {
    let unknown = BoundOptions {
        intensity_sigma: None,
        ..BoundOptions::default()
    };
    let information = Information::new(&moving(&three(), 5), &unknown).unwrap();
    let at = |noise: f64| information.bound(noise).unwrap().rmse();
    for noise in [1.0, 2.0, 5.0] {
        let expected = ((noise * noise + ROUNDING) / ROUNDING).sqrt();
        assert!((at(noise) / at(0.0) / expected - 1.0).abs() < 1e-9);
    }
    let known = Information::new(&moving(&three(), 5), &BoundOptions::default()).unwrap();
    let growth = known.bound(5.0).unwrap().rmse() / known.bound(1.0).unwrap().rmse();
    assert!(growth > 1.0 && growth < (25.1_f64 / 1.0).sqrt());
}

/// `W Wᵀ` of the readout is the covariance: its blocks and its draws agree.
#[test]
fn draws_follow_the_covariance() {
    let information = Information::new(&moving(&three(), 5), &BoundOptions::default()).unwrap();
    let bound = information.bound(1.0).unwrap();
    let covariances = bound.covariances();
    let (mut sums, mut rng) = (vec![[0.0; 3]; 3], Rng::new(1, *b"bound-ts", 0));
    let draws = 20_000;
    for _ in 0..draws {
        for (sum, (dx, dy)) in sums.iter_mut().zip(bound.draw(&mut rng)) {
            *sum = [sum[0] + dx * dx, sum[1] + dx * dy, sum[2] + dy * dy];
        }
    }
    for (sum, covariance) in sums.iter().zip(&covariances) {
        let [xx, xy, yy] = sum.map(|s| s / f64::from(draws));
        // Five standard errors of a variance from that many draws.
        let slack = 5.0 * (2.0 / f64::from(draws)).sqrt() * covariance.trace();
        assert!((xx - covariance.xx).abs() < slack);
        assert!((xy - covariance.xy).abs() < slack);
        assert!((yy - covariance.yy).abs() < slack);
    }
    let trace: f64 = covariances.iter().map(|c| c.trace()).sum();
    assert!((bound.rmse() - (trace / 3.0).sqrt()).abs() < 1e-15);
}

/// Opposite targets of known distance move as one: perfectly correlated, and far better known.
#[test]
fn known_rules_help() {
    let targets = [target(4.3, 5.1), target(4.9, 5.1), target(4.6, 5.4)];
    let truth = moving(&targets, 5);
    let rmse = |options: &BoundOptions| {
        let information = Information::new(&truth, options).unwrap();
        information.bound(5.0).unwrap().rmse()
    };
    let rules = BoundOptions::rules_known();
    assert!(rmse(&rules) < 0.3 * rmse(&BoundOptions::default()));
    let loose = BoundOptions {
        places: Places::Rules { growth_sigma: 0.1 },
        ..rules
    };
    assert!(rmse(&rules) < rmse(&loose));
}

#[test]
fn what_cannot_be_known_is_an_error() {
    let default = BoundOptions::default();
    let message = |truth: &[Vec<Target>]| bound(truth, 1.0, &default).unwrap_err().to_string();
    let even = vec![three(); 4];
    assert!(message(&even).contains("odd number of frames"));
    assert!(message(&[]).contains("odd number of frames"));
    assert!(message(&[vec![]]).contains("at least one"));
    let mut leaving = vec![three(); 5];
    leaving[3].pop();
    assert!(message(&leaving).contains("[3, 3, 3, 2, 3]"));
    for place in [(40.0, 5.0), (f64::NAN, 5.0)] {
        let outside = vec![vec![target(place.0, place.1)]; 5];
        assert!(message(&outside).contains("do not determine"), "{place:?}");
    }
    let twins = vec![vec![target(5.0, 5.0); 2]; 5];
    assert!(message(&twins).contains("do not determine"));
}
