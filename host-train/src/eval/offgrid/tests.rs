use super::*;
use crate::backend::cpu::Cpu;
use crate::dataset::{QinitFrom, Split, qinit};
use crate::eval::network::Inference;
use crate::model::{DeRefNet, HeadConfig, ModelConfig, Operators, initialise};
use crate::scene::{SceneConfig, generate};

const CONFIG: LocateConfig = LocateConfig::SEQ_CSIST;

fn scene(index: u64) -> Trajectory {
    let config = SceneConfig {
        frames: 8,
        noise: [1.0; 2],
        ..SceneConfig::default()
    };
    generate(&config, 1, Split::Test, index)
}

fn counts(index: u64) -> Vec<f32> {
    scene(index).frames.iter().map(|&c| c as f32).collect()
}

/// Untrained, with biases that make every cell claim a target of `intensity` 100 counts or so.
fn network(head: Option<HeadConfig>) -> DeRefNet {
    let config = ModelConfig {
        stages: 1,
        channels: 4,
        residual_blocks: 0,
        head,
        ..ModelConfig::released()
    };
    let start = qinit((0..50).map(scene), QinitFrom::Physics).unwrap();
    let mut parameters = initialise(&config, 1);
    for tensor in &mut parameters.tensors {
        if tensor.name == "head.output.bias" {
            tensor.values.iter_mut().step_by(7).for_each(|v| *v = 0.0);
        }
        if tensor.name == "head.output.weight" {
            let shift = |(i, v): (usize, &mut f32)| *v += 0.02 * (i as f32).sin();
            tensor.values.iter_mut().enumerate().for_each(shift);
        }
    }
    DeRefNet {
        operators: Operators::new(start.iter().map(|&v| v as f32).collect()),
        parameters,
        config,
    }
}

fn with_head() -> DeRefNet {
    network(Some(HeadConfig {
        channels: 4,
        blocks: 1,
    }))
}

fn answers(
    network: &DeRefNet,
    method: Method,
    counts: &[f32],
    excluded: Option<&[bool]>,
) -> Vec<Answer> {
    let cpu = Cpu::new();
    let inference = Inference::new(network, &cpu);
    let localiser = Localiser::new(Some(&inference), method, CONFIG).unwrap();
    localiser.windows(counts, excluded).unwrap()
}

fn complaint(result: Result<Localiser<'_>>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn methods_with_a_head_refuse_models_without() {
    let (network, cpu) = (network(None), Cpu::new());
    let inference = Inference::new(&network, &cpu);
    for method in Method::ALL {
        let headless = Localiser::new(Some(&inference), method, CONFIG);
        let nothing = Localiser::new(None, method, CONFIG);
        if method == Method::Fit {
            assert!(headless.is_ok() && nothing.is_ok());
            continue;
        }
        for (result, reason) in [(headless, "no offset head"), (nothing, "got no model")] {
            let text = complaint(result);
            assert!(
                text.contains(reason) && text.contains(method.name()),
                "{text}"
            );
        }
    }
}

#[test]
fn configurations_out_of_range_are_refused() {
    let config = LocateConfig {
        counts: [3, 9],
        ..CONFIG
    };
    let text = complaint(Localiser::new(None, Method::Fit, config));
    assert!(
        text.contains("most targets") && text.contains("1 to 8"),
        "{text}"
    );
}

#[test]
fn bad_input_is_named() {
    let fit = Localiser::new(None, Method::Fit, CONFIG).unwrap();
    let refused = |counts: &[f32], flags: Option<&[bool]>, parts: &[&str]| {
        let text = fit.windows(counts, flags).unwrap_err().to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let good = counts(0);
    refused(&good[1..], None, &["967 counts", "expected 5 or more"]);
    refused(&good[..4 * FRAME_LEN], None, &["484 counts"]);
    let flags = vec![false; 5 * FRAME_LEN];
    refused(&good, Some(&flags), &["605 flags", "121 or 968"]);
    let mut bad = good;
    bad[2 * FRAME_LEN + 3 * FRAME_SIDE + 4] = f32::NAN;
    refused(&bad, None, &["frame 2, row 3, column 4 is NaN"]);
}

/// Not the method alone decides: the head's precision moves the answer, the fit moves the head's.
#[test]
fn methods_answer_differently() {
    let (network, counts) = (with_head(), counts(0));
    let all = Method::ALL.map(|method| answers(&network, method, &counts, None));
    let [head, fit, prior, both] = &all;
    assert!(all.iter().all(|answers| answers.len() == 4));
    assert!(
        head.iter()
            .all(|a| !a.targets.is_empty() && a.reduced_chi2.is_none())
    );
    assert!(
        both.iter()
            .all(|a| a.reduced_chi2.is_some() && a.evaluations > 0)
    );
    assert_ne!(fit, both);
    assert_ne!(prior, both);
}

#[test]
fn windows_see_their_own_frames() {
    let (network, counts) = (with_head(), counts(1));
    for method in Method::ALL {
        let all = answers(&network, method, &counts, None);
        let last = answers(&network, method, &counts[3 * FRAME_LEN..], None);
        assert_eq!(all[3..], last, "{method:?}");
    }
}

#[test]
fn the_same_for_any_number_of_threads() {
    let (network, counts) = (with_head(), counts(2));
    for method in Method::ALL {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap()
                .install(|| answers(&network, method, &counts, None))
        };
        let one = run(1);
        assert_eq!(one, run(3), "{method:?}");
    }
}

/// What an excluded pixel holds does not matter, to the head and to the fit; that it is excluded
/// does.
#[test]
fn excluded_pixels_do_not_count() {
    let (network, counts) = (with_head(), counts(3));
    let place = scene(3).truth[4][0];
    let pixel = place.x.round() as usize * FRAME_SIDE + place.y.round() as usize;
    let flags: Vec<bool> = (0..FRAME_LEN).map(|i| i == pixel).collect();
    let each: Vec<bool> = (0..counts.len()).map(|i| i % FRAME_LEN == pixel).collect();
    for method in Method::ALL {
        let spoil = |value: f32| {
            let mut broken = counts.clone();
            broken
                .iter_mut()
                .skip(pixel)
                .step_by(FRAME_LEN)
                .for_each(|c| *c = value);
            answers(&network, method, &broken, Some(&flags))
        };
        let masked = spoil(f32::NAN);
        assert_eq!(masked, spoil(1000.0), "{method:?}");
        assert_eq!(masked, answers(&network, method, &counts, Some(&each)));
        assert_ne!(masked, answers(&network, method, &counts, None));
    }
}

/// Flags of each frame reach the window that they belong to.
#[test]
fn flags_follow_their_frames() {
    let counts = counts(4);
    let mut broken = counts.clone();
    broken[7 * FRAME_LEN..].fill(f32::NAN);
    let flags: Vec<bool> = (0..counts.len()).map(|i| i >= 7 * FRAME_LEN).collect();
    let fit = Localiser::new(None, Method::Fit, CONFIG).unwrap();
    let (whole, part) = (
        fit.windows(&counts, None),
        fit.windows(&broken, Some(&flags)),
    );
    let (whole, part) = (whole.unwrap(), part.unwrap());
    assert_eq!(whole[..3], part[..3]);
    assert_ne!(whole[3], part[3]);
}

#[test]
fn claims_far_outside_are_no_proposals() {
    let claim = |x| Claim {
        x,
        sigma_x: 0.5,
        sigma_y: 0.25,
        ..Claim::default()
    };
    assert_eq!(claim(-2.5).proposal(false), None);
    let near = claim(-1.5).proposal(true).unwrap();
    assert_eq!(near.precision, Some([4.0, 0.0, 16.0]));
    assert_eq!(claim(4.0).proposal(false).unwrap().precision, None);
}

#[test]
fn answers_stand_beside_their_truth() {
    let trajectories = [scene(0), scene(1)];
    let fit = Localiser::new(None, Method::Fit, CONFIG).unwrap();
    let mut ticks = 0;
    let tick = || {
        ticks += 1;
        Ok(())
    };
    let answers = fit.trajectories(&trajectories, tick).unwrap();
    assert_eq!(ticks, 2);
    let results = frame_results(&trajectories, &answers);
    assert_eq!(results.len(), 8);
    for (index, result) in results.iter().enumerate() {
        let (trajectory, window) = (index / 4, index % 4);
        assert_eq!(result.truth, trajectories[trajectory].truth[window + 2]);
        let answer = &answers[trajectory][window];
        assert_eq!(result.detections, answer.detections());
    }
    let report = crate::eval::metric::evaluate(&results).unwrap();
    assert_eq!(report.jaccard, 100.0, "{report:?}");
}
