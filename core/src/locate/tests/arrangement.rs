//! What is known of how sources lie about each other.

use super::*;

/// The curvature of the beliefs about differences is that of their penalty, which is quadratic.
#[test]
fn beliefs_about_an_arrangement_have_their_curvature() {
    let counts = window(&places(4), 0.0);
    with_problem(config(), &counts, Some(&[true; FRAME_LEN]), |problem| {
        close_pair_is_pushed_apart(problem);
        for formation in Formation::crosses(4).chain([Formation::CLUSTER]) {
            let mut state = state(4);
            state.formation = formation;
            let normal = evaluated(problem, &state);
            for i in 0..state.order() {
                let step = unit(i, 1e-4);
                let ahead = evaluated(problem, &state.moved(&step)).descent;
                for j in 0..state.order() {
                    let bend = (at(&normal.descent, j) - at(&ahead, j)) / 1e-4;
                    let got = normal.matrix.get(i, j);
                    // The field's variance bends without a slope; what is held does neither.
                    let (field, held) = (12.0 / 121.0, i == 0 && j == 0);
                    let near = (got - bend).abs() < field + 1e-6 * got.abs() + 1e-6;
                    assert!(near || held, "{i} {j}: {got} {bend}");
                }
            }
        }
    });
}

/// `p u uᵀ` along the line between two sources closer than the separation, beside what the cluster
/// itself adds; and the whole penalty where they coincide.
fn close_pair_is_pushed_apart(problem: &Problem) {
    let pair = |gap: f64| {
        let mut pair = State::new(&problem.prior);
        pair.push([5.0, 5.0, 235.0], Anchor::default());
        pair.push([5.0, 5.0 + gap, 235.0], Anchor::default());
        pair
    };
    let (near, far) = (
        evaluated(problem, &pair(0.2)),
        evaluated(problem, &pair(0.43)),
    );
    let Arrangement {
        separation,
        softness,
        ..
    } = problem.prior.arrangement;
    let precision = softness.powi(-2);
    let [first, second] = [0, 1].map(|k| pair(0.2).layout().first(k) + 1);
    let added = |i, j| near.matrix.get(i, j) - far.matrix.get(i, j);
    assert!(close(added(first, first), precision, 1e-9));
    assert!(close(added(second, first), -precision, 1e-9));
    assert!(added(first - 1, first - 1).abs() < 1e-9);
    let whole = 0.5 * precision * separation * separation;
    let together = evaluated(problem, &pair(0.0)).cost;
    assert!(together > 0.99 * whole, "{together} {whole}");
}

/// One source makes no cross, whatever share crosses have.
#[test]
fn single_sources_need_no_cross() {
    let counts = rounded(window(&places(1), 0.0));
    for cross_share in [0.0, 0.9, 1.0] {
        let mut config = config();
        config.prior.arrangement.cross_share = cross_share;
        let peak = config.prior.arrangement.log_peak(Formation::CLUSTER, 1);
        assert!((peak.exp() * FRAME_LEN as f64 - 1.0).abs() < 1e-12);
        let locator = Locator::new(config).unwrap();
        let found = locator.locate(&mut Workspace::new(), &counts, None, &[]);
        let found = found.unwrap();
        assert_eq!(found.targets.len(), 1, "{cross_share}");
        assert!(found.count_shares[1] > 0.99);
    }
}

/// With hardly a dark pixel left, or half of the light beside the frame, counts stay right.
#[test]
fn counts_survive_masks_and_borders() {
    let locator = Locator::new(LocateConfig::SEQ_CSIST).unwrap();
    let mut workspace = Workspace::new();
    let truth = places(3);
    let mut flags = [false; FRAME_LEN];
    for (i, flag) in flags.iter_mut().enumerate() {
        let [row, column] = [i / FRAME_SIDE, i % FRAME_SIDE];
        *flag = row.abs_diff(5) > 2 || column.abs_diff(5) > 2;
    }
    let counts = rounded(window(&truth, 40.0));
    let found = locator.locate(&mut workspace, &counts, Some(&flags), &[]);
    assert_eq!(found.unwrap().targets.len(), 3);
    let arms = Prior::SEQ_CSIST.arrangement;
    let cross = Formation::crosses(4).next().unwrap();
    let border: List<[f64; 3]> = (0..4)
        .map(|k| {
            let [dx, dy] = [0, 1].map(|axis| cross.offset(&arms, k, axis));
            [0.1 + dx, 5.2 + dy, 235.0]
        })
        .collect();
    let counts = rounded(window(&border, 0.0));
    let found = locator.locate(&mut workspace, &counts, None, &[]).unwrap();
    assert_eq!(found.targets.len(), 4);
}

#[test]
fn crosses_are_all_arrangements_of_arms() {
    let number = |count| Formation::crosses(count).count();
    assert_eq!(
        [1, 2, 3, 4, 5, 6, 7, 8].map(number),
        [0, 4, 4, 1, 4, 6, 4, 1]
    );
    let arrangement = Arrangement::UNKNOWN;
    for count in 2..=MAX_SOURCES {
        let shares: f64 = Formation::crosses(count).map(Formation::share).sum();
        assert!((shares - 1.0).abs() < 1e-12, "{count}: {shares}");
        for cross in Formation::crosses(count) {
            let end = |k| [0, 1].map(|axis| cross.offset(&arrangement, k, axis));
            let [cx, cy] = cross.centre(&arrangement, count);
            let (mut sx, mut sy) = (0.0, 0.0);
            for k in 0..count {
                let [x, y] = end(k);
                (sx, sy) = (sx + x - cx, sy + y - cy);
                let length = if k < 4 { 0.3 } else { 0.6 };
                assert!((x.hypot(y) - length).abs() < 1e-12);
                for l in 0..k {
                    let [u, v] = end(l);
                    assert!((x - u).hypot(y - v) > 0.42);
                }
            }
            assert!(sx.abs() < 1e-12 && sy.abs() < 1e-12);
        }
    }
}

/// Density of two positions at the peak against the sum over a fine lattice of their difference,
/// all places of their mean being alike.
#[test]
fn densities_of_arrangements_are_normalised() {
    let arrangement = Arrangement {
        spread: 0.4,
        cross_share: 0.25,
        ..Arrangement::UNKNOWN
    };
    let (step, mut sum) = (0.05, 0.0);
    for i in -120..=120 {
        for j in -120..=120 {
            let (u, v) = (step * f64::from(i), step * f64::from(j));
            // Each source is half the difference from the mean.
            sum += (-0.5 * (u * u + v * v) / (2.0 * 0.4 * 0.4)).exp();
        }
    }
    let expected = 0.75 / (121.0 * step * step * sum);
    let got = arrangement.log_peak(Formation::CLUSTER, 2).exp();
    assert!((got / expected - 1.0).abs() < 1e-9, "{got} {expected}");
    let anywhere = Arrangement::UNKNOWN.log_peak(Formation::CLUSTER, 3).exp();
    assert!((anywhere * 121.0_f64.powi(3) - 1.0).abs() < 1e-9);
}

/// Sources on a cross are found to thousandths of a pixel, others where they are, by one and the same
/// configuration.
#[test]
fn crosses_are_found_and_never_forced() {
    let locator = Locator::new(LocateConfig::SEQ_CSIST).unwrap();
    let mut workspace = Workspace::new();
    let mut worst = |truth: &[[f64; 3]]| {
        let counts = rounded(window(truth, 0.0));
        let found = locator.locate(&mut workspace, &counts, None, &[]).unwrap();
        assert_eq!(found.targets.len(), truth.len());
        let miss = |&[x, y, _]: &[f64; 3]| {
            let distances = found.targets.iter().map(|t| (t.x - x).hypot(t.y - y));
            distances.fold(f64::INFINITY, f64::min)
        };
        truth.iter().map(miss).fold(0.0, f64::max)
    };
    let arms = Prior::SEQ_CSIST.arrangement;
    for count in 2..=4 {
        for cross in Formation::crosses(count) {
            let place = |k| {
                let [dx, dy] = [0, 1].map(|axis| cross.offset(&arms, k, axis));
                [5.13 + dx, 4.82 + dy, 235.0]
            };
            let truth: List<[f64; 3]> = (0..count).map(place).collect();
            let miss = worst(&truth);
            assert!(miss < 0.01, "{cross:?}: {miss}");
        }
        let miss = worst(&places(count));
        assert!(miss < 0.05, "{count} without order: {miss}");
    }
}
