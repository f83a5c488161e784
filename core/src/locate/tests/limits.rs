//! Input that is bad or says nothing, configurations out of range, and bounds on work.

use super::*;

#[test]
fn degenerate_windows_have_bounded_answers() {
    let blob = window(&places(2), 0.0);
    let mut alternating = std::vec![0.0; WINDOW_LEN];
    alternating
        .iter_mut()
        .step_by(2)
        .for_each(|count| *count = f32::MAX);
    let mut single = std::vec![0.0; WINDOW_LEN];
    single[60] = 1e5;
    let windows = [
        std::vec![0.0; WINDOW_LEN],
        std::vec![1.0; WINDOW_LEN],
        std::vec![-300.0; WINDOW_LEN],
        std::vec![65_535.0; WINDOW_LEN],
        std::vec![f32::MAX; WINDOW_LEN],
        alternating,
        single,
        blob.iter().map(|count| -count).collect(),
        blob.iter().map(|count| 1e30 * count).collect(),
        blob.iter().map(|count| 1e-30 * count).collect(),
    ];
    let proposals = [
        List::new(),
        std::vec![proposal(5.0, 5.0, None); 8],
        std::vec![proposal(5.0, 5.0, Some([1e12, 0.0, 1e12])); 8],
        std::vec![proposal(-2.0, 12.0, Some([1e-12, 0.0, 1e-12])); 3],
    ];
    let mut workspace = Workspace::new();
    for noise in [Noise::Known(0.0), Noise::Known(5.0), Noise::Estimated] {
        for background_sigma in [0.0, 1e6] {
            let mut config = LocateConfig {
                noise,
                counts: [1, 8],
                ..config()
            };
            config.prior.background_sigma = background_sigma;
            let locator = Locator::new(config).unwrap();
            for (index, counts) in windows.iter().enumerate() {
                for list in &proposals {
                    let found = locator.locate(&mut workspace, counts, None, list);
                    std::println!("{noise:?} {background_sigma} {index} {}", list.len());
                    sound(&found.unwrap());
                }
                let all = [true; FRAME_LEN];
                sound(
                    &locator
                        .locate(&mut workspace, counts, Some(&all), &[])
                        .unwrap(),
                );
            }
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let locator = Locator::new(config()).unwrap();
    let mut workspace = Workspace::new();
    let mut counts = window(&places(2), 0.0);
    let mut refused = |counts: &[f32], flags: Option<&[bool]>, list: &[Proposal]| {
        locator
            .locate(&mut workspace, counts, flags, list)
            .unwrap_err()
    };
    let length = |error| matches!(error, Error::Length { .. });
    let domain = |error| matches!(error, Error::Domain { .. });
    let not_finite = |error| matches!(error, Error::NotFinite { .. });
    assert!(length(refused(&counts[1..], None, &[])));
    assert!(length(refused(&[], None, &[])));
    assert!(length(refused(&counts, Some(&[false; 7]), &[])));
    assert!(domain(refused(
        &counts,
        None,
        &[proposal(5.0, 5.0, None); 9]
    )));
    assert!(domain(refused(&counts, None, &[proposal(5.0, 13.0, None)])));
    assert!(domain(refused(
        &counts,
        None,
        &[proposal(5.0, 5.0, Some([1.0, 1.0, 1.0]))]
    )));
    assert!(not_finite(refused(
        &counts,
        None,
        &[proposal(f64::NAN, 5.0, None)]
    )));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        counts[300] = bad;
        assert!(not_finite(refused(&counts, None, &[])));
    }
}

#[test]
fn bad_configurations_are_refused() {
    let base = LocateConfig::SEQ_CSIST;
    let mut bad = std::vec![
        LocateConfig {
            counts: [0, 4],
            ..base
        },
        LocateConfig {
            counts: [3, 2],
            ..base
        },
        LocateConfig {
            counts: [1, 9],
            ..base
        },
        LocateConfig {
            noise: Noise::Known(-1.0),
            ..base
        },
        LocateConfig {
            noise: Noise::Known(f64::NAN),
            ..base
        },
        LocateConfig {
            fine_evaluations: 0,
            ..base
        },
        LocateConfig {
            window_evaluations: 3,
            ..base
        },
        LocateConfig {
            tolerance: f64::NAN,
            ..base
        },
    ];
    let mut prior = base;
    prior.prior.intensity_sigma = 0.0;
    bad.push(prior);
    let optics = Optics::new(12, 3, 0.5).unwrap();
    bad.push(LocateConfig { optics, ..base });
    for config in bad {
        assert!(
            matches!(Locator::new(config), Err(Error::Domain { .. })),
            "{config:?}"
        );
    }
}

/// Evaluations stay within a few of the bound, and one that is not reached changes nothing.
#[test]
fn evaluations_of_a_window_are_bounded() {
    let counts = [1, 2, 3, 4].map(|count| rounded(window(&places(count), 0.0)));
    let locate = |counts: &[f32], window_evaluations| {
        let config = LocateConfig {
            window_evaluations,
            ..LocateConfig::SEQ_CSIST
        };
        let locator = Locator::new(config).unwrap();
        let found = locator.locate(&mut Workspace::new(), counts, None, &[]);
        found.unwrap()
    };
    let mut most = 0;
    for counts in &counts {
        let free = locate(counts, u32::MAX);
        assert!(free.complete);
        assert_eq!(locate(counts, 2 * free.evaluations), free);
        most = most.max(free.evaluations);
        for bound in [4, 5, 16, 40, 64] {
            let found = locate(counts, bound);
            assert!(found.evaluations <= bound + 12, "{bound}: {found:?}");
            assert!(found.evaluations >= free.evaluations || !found.complete);
            assert!(bound < 16 || !found.targets.is_empty());
        }
    }
    assert!(most > 60, "{most}");
}

#[test]
fn descents_keep_to_their_bound() {
    let counts = window(&places(4), 0.0);
    with_problem(config(), &counts, None, |problem| {
        let mut start = State::new(&problem.prior);
        for _ in 0..4 {
            start.push([1.0, 9.0, 10.0], Anchor::default());
        }
        for evaluations in [1, 2, 7, 10_000] {
            let effort = Effort {
                evaluations,
                tolerance: 0.0,
            };
            let mut descent = Descent::ZERO;
            let fit = descent.run(problem, &start, effort);
            assert!(fit.evaluations <= evaluations);
            assert_eq!(fit.state.count, 4);
        }
    });
}
