//! Tests of reading the offset head.

use super::*;

const UNIT: f32 = 100.0;

/// An answer without targets.
fn silent() -> std::vec::Vec<f32> {
    let mut answer = std::vec![0.0; ANSWER_LEN];
    for raw in answer.chunks_exact_mut(CHANNELS) {
        raw[0] = -12.0;
    }
    answer
}

fn index_of(row: usize, column: usize) -> usize {
    (0..FRAME_LEN * 9)
        .find(|&i| cell(i) == (row, column))
        .unwrap()
}

fn say(answer: &mut [f32], at: (usize, usize), raw: [f32; CHANNELS]) {
    let index = index_of(at.0, at.1);
    answer[index * CHANNELS..(index + 1) * CHANNELS].copy_from_slice(&raw);
}

#[test]
fn every_cell_has_one_place() {
    let mut seen = [false; 1089];
    for index in 0..1089 {
        let (row, column) = cell(index);
        assert!(!std::mem::replace(&mut seen[33 * row + column], true));
    }
}

#[test]
fn silence_is_no_target() {
    assert!(read(&silent(), UNIT).unwrap().is_empty());
}

#[test]
fn a_sure_cell_is_its_target() {
    let mut answer = silent();
    say(
        &mut answer,
        (16, 13),
        [9.0, 0.3, -0.6, 0.0, -50.0, 2.35, 0.0],
    );
    let found = read(&answer, UNIT).unwrap();
    let [claim] = found[..] else {
        panic!("{found:?}")
    };
    assert!((claim.x - 5.1).abs() < 1e-5 && (claim.y - 3.8).abs() < 1e-5);
    assert!(
        (claim.sigma_x - (0.002f32 * 0.5).sqrt()).abs() < 1e-5,
        "{claim:?}"
    );
    assert!((claim.sigma_y - 0.002).abs() < 1e-5);
    assert!((claim.intensity - 235.0).abs() < 1e-3);
    assert!(claim.probability > 0.999);
}

/// Half a target in each of two neighbours that agree on the place; alone, neither would count.
#[test]
fn claims_on_one_place_add_up() {
    let mut answer = silent();
    say(&mut answer, (10, 10), [-0.1, 0.5, 0.0, 0.0, 0.0, 2.3, 0.0]);
    say(&mut answer, (11, 10), [-0.1, -0.5, 0.0, 0.0, 0.0, 2.3, 0.0]);
    let found = read(&answer, UNIT).unwrap();
    let [claim] = found[..] else {
        panic!("{found:?}")
    };
    assert!((claim.x - (9.5 / 3.0)).abs() < 1e-4 && (claim.y - 3.0).abs() < 1e-4);
    assert!(claim.probability > 0.9);
}

#[test]
fn close_targets_stay_apart_and_scores_order_them() {
    let mut answer = silent();
    say(&mut answer, (10, 10), [3.0, 0.0, 0.0, -2.0, -2.0, 2.3, 0.0]);
    say(&mut answer, (11, 11), [3.0, 0.0, 0.0, 2.0, 2.0, 2.3, 0.0]);
    let found = read(&answer, UNIT).unwrap();
    assert_eq!(found.len(), 2);
    let sharp = found.iter().find(|c| c.sigma_x < 0.02).unwrap();
    let blurred = found.iter().find(|c| c.sigma_x > 0.02).unwrap();
    assert!(sharp.score() > blurred.score());
    assert!(sharp.score() > 0.9 && sharp.score() <= 1.0);
}

#[test]
fn any_crowd_is_bounded() {
    let mut answer = silent();
    for raw in answer.chunks_exact_mut(CHANNELS) {
        raw[0] = 5.0;
    }
    let found = read(&answer, UNIT).unwrap();
    assert_eq!(found.len(), MAX_TARGETS);
    for extreme in [f32::MAX, f32::MIN] {
        let answer = std::vec![extreme; ANSWER_LEN];
        assert!(read(&answer, UNIT).is_ok());
    }
}

#[test]
fn bad_answers_are_refused() {
    assert!(matches!(read(&[0.0; 7], UNIT), Err(Error::Length { .. })));
    let mut answer = silent();
    answer[77] = f32::NAN;
    let expected = Error::NotFinite {
        what: "offset head's answer",
        index: 77,
    };
    assert_eq!(read(&answer, UNIT), Err(expected));
}

/// The spread of a sharp claim far from the origin survives being gathered.
#[test]
fn sharp_claims_keep_their_spread() {
    let sharp = Claim {
        probability: 0.9,
        x: 9.7,
        y: 9.3,
        sigma_x: 0.003,
        sigma_y: 0.004,
        intensity: 240.0,
        sigma_intensity: 1.0,
    };
    let found = gather(&[sharp]);
    assert!((found[0].sigma_x - 0.003).abs() < 1e-6 && (found[0].sigma_y - 0.004).abs() < 1e-6);
    assert!((found[0].sigma_intensity - 1.0).abs() < 1e-5);
}

/// An answer in steps is read as the numbers that they are worth; what is not there is silent.
#[test]
fn steps_are_worth_their_numbers() {
    let steps = [0.01, 0.001, 0.001, 0.01, 0.01, 0.002, 0.01];
    let mut answer = std::vec![0i16; ANSWER_LEN];
    for cell in answer.chunks_exact_mut(CHANNELS) {
        cell[0] = -1200;
    }
    let index = index_of(16, 13) * CHANNELS;
    answer[index..index + CHANNELS].copy_from_slice(&[900, 300, -600, 100, -150, 1175, 20]);
    let numbers = answer.iter().zip(steps.iter().cycle());
    let numbers: std::vec::Vec<f32> = numbers.map(|(&n, &step)| step * f32::from(n)).collect();
    let found = read_steps(&answer, &steps, UNIT);
    assert_eq!((found.len(), &found), (1, &read(&numbers, UNIT).unwrap()));
    assert!(read_steps(&answer[..index], &steps, UNIT).is_empty());
}

#[test]
fn claims_start_fits_inside_the_field_alone() {
    let claim = Claim {
        probability: 0.5,
        x: 4.5,
        y: 5.25,
        sigma_x: 0.5,
        sigma_y: 0.25,
        intensity: 240.0,
        sigma_intensity: 8.0,
    };
    let started = claim.proposal(false).unwrap();
    assert_eq!(
        (started.x, started.y, started.intensity),
        (4.5, 5.25, 240.0)
    );
    assert_eq!(started.precision, None);
    let known = claim.proposal(true).unwrap().precision;
    assert_eq!(known, Some([4.0, 0.0, 16.0]));
    assert_eq!(Claim { y: 1e6, ..claim }.proposal(true), None);
    let target = claim.target();
    assert_eq!(
        (target.sigma_x, target.sigma_y, target.correlation),
        (0.5, 0.25, 0.0)
    );
    assert_eq!(
        (target.sigma_intensity, target.score),
        (8.0, f64::from(claim.score()))
    );
}

/// Once the crowd is full, a more probable claim takes the place of the least probable one.
#[test]
fn the_most_probable_of_a_crowd_are_heard() {
    let mut answer = silent();
    for raw in answer.chunks_exact_mut(CHANNELS) {
        raw[0] = -1.0;
    }
    // The last cell of all, sharp and sure.
    say(&mut answer, (32, 32), [6.0, 0.0, 0.0, -3.0, -3.0, 2.3, 0.0]);
    let found = read(&answer, UNIT).unwrap();
    let most = found
        .iter()
        .map(|claim| claim.probability)
        .fold(0.0, f32::max);
    assert!(most > 0.99, "{found:?}");
    let corner = found.iter().any(|claim| claim.x > 10.0 && claim.y > 10.0);
    assert!(corner, "{found:?}");
}
