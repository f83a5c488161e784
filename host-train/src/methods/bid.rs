//! BID: residual correction of an enlarged frame against a known blur.
//!
//! `x` starts as the frame enlarged three times, `U`; each iteration takes `e = PSF ∗ x - U` and
//! `x ← x - 0.001 e`, at most 1,000 times or until `max |e| < 0.1`.

use derefnet_core::physics::{FRAME_SIDE, MAP_LEN, MAP_SIDE};

use super::{Method, Published, Reference, Solution, Variant};
use crate::{Error, Result};

const ITERATIONS: usize = 1_000;
const RATE: f64 = 0.001;
const SMALL: f64 = 0.1;
const TAPS: usize = 3;
const SIGMA: f64 = 0.5;
const AS_RUN: &str = "as-run";
/// Nine taps and the update, per cell and iteration.
const WORK: u64 = (ITERATIONS * MAP_LEN * TAPS * TAPS) as u64;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "BID",
    key: "bid",
    about: "residual correction of the enlarged frame against a known blur",
    reference: Reference {
        authors: "Levin",
        title: "Blind motion deblurring using image statistics",
        venue: "NIPS 2006",
    },
    published: Some(Published {
        fps: 0.1,
        parameters: None,
        flops: "10.89 M",
        cso_map: 14.40,
        average_precisions: [0.0, 3.0, 13.0, 26.0, 30.0],
    }),
    variants: &[
        Variant {
            name: "as-intended",
            about: "the frame itself, a blur centred on its middle tap",
        },
        Variant {
            name: AS_RUN,
            about: "as the authors' program does: its sixth column stands for all, and the blur is \
                    sampled off its centre",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Solver {
        solve,
        multiply_adds: [WORK; 2],
    },
};

/// Taps of the blur along one axis, of sum 1.
fn taps(as_run: bool) -> [f64; TAPS] {
    let places = if as_run {
        [-2.0, -0.5, 1.0]
    } else {
        [-1.0, 0.0, 1.0]
    };
    let raw = places.map(|d: f64| libm::exp(-d * d / (2.0 * SIGMA * SIGMA)));
    let sum: f64 = raw.iter().sum();
    raw.map(|v| v / sum)
}

/// The frame enlarged to 33×33, linear between pixel centres and constant beyond.
fn enlarge(frame: &[f64]) -> Vec<f64> {
    let place = |i: usize| {
        let at = ((i as f64 + 0.5) / 3.0 - 0.5).max(0.0);
        let first = at as usize;
        (first, (first + 1).min(FRAME_SIDE - 1), at - first as f64)
    };
    let cell = |at: usize| {
        let (a, b, down) = place(at / MAP_SIDE);
        let (c, d, right) = place(at % MAP_SIDE);
        let row = |r: usize| {
            let line = &frame[r * FRAME_SIDE..];
            line[c] + right * (line[d] - line[c])
        };
        row(a) + down * (row(b) - row(a))
    };
    (0..MAP_LEN).map(cell).collect()
}

/// `taps` along rows, then along columns, zero outside.
fn blur(x: &[f64], taps: [f64; TAPS]) -> Vec<f64> {
    let along = |x: &[f64], stride: usize| -> Vec<f64> {
        let sum = |at: usize| {
            let place = at / stride % MAP_SIDE;
            let before = if place > 0 { x[at - stride] } else { 0.0 };
            let after = if place + 1 < MAP_SIDE {
                x[at + stride]
            } else {
                0.0
            };
            taps[0] * before + taps[1] * x[at] + taps[2] * after
        };
        (0..MAP_LEN).map(sum).collect()
    };
    along(&along(x, 1), MAP_SIDE)
}

fn solve(frame: &[f64], variant: &str) -> Result<Vec<f64>> {
    if let Some(value) = frame.iter().find(|v| !v.is_finite()) {
        return Err(Error::usage(format!("bid: a pixel is {value}")));
    }
    let as_run = variant == AS_RUN;
    // The program resizes the frame as one column, which leaves its middle column in all places.
    let middle = FRAME_SIDE / 2;
    let column = |i: usize| frame[i / FRAME_SIDE * FRAME_SIDE + middle];
    let start = if as_run {
        enlarge(&(0..frame.len()).map(column).collect::<Vec<f64>>())
    } else {
        enlarge(frame)
    };
    let taps = taps(as_run);
    let mut x = start.clone();
    for _ in 0..ITERATIONS {
        let mut most = 0.0f64;
        let seen = blur(&x, taps);
        for (x, (seen, u)) in x.iter_mut().zip(seen.iter().zip(&start)) {
            let error = seen - u;
            *x -= RATE * error;
            most = most.max(error.abs());
        }
        if most < SMALL {
            break;
        }
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use derefnet_core::physics::FRAME_LEN;

    /// A frame that is alike everywhere stays so but for the borders, where the blur sees zeros.
    #[test]
    fn flat_frames_stay_flat() {
        let map = solve(&[100.0; FRAME_LEN], "as-intended").unwrap();
        let inner = map[MAP_SIDE * 16 + 16];
        assert!((inner - 100.0).abs() < 1e-6, "{inner}");
        assert!(map[0] > 100.5, "{}", map[0]);
    }

    /// A correction by at most the whole difference between a map and its blur: a mild sharpening.
    #[test]
    fn sharpens_mildly() {
        let mut frame = [0.0; FRAME_LEN];
        frame[5 * FRAME_SIDE + 5] = 90.0;
        let map = solve(&frame, "as-intended").unwrap();
        let centre = map[MAP_SIDE * 16 + 16];
        assert!((90.0..150.0).contains(&centre), "{centre}");
    }

    #[test]
    fn as_run_sees_the_sixth_column_alone() {
        let mut frame = [0.0; FRAME_LEN];
        frame[3] = 200.0;
        assert!(solve(&frame, AS_RUN).unwrap().iter().all(|&v| v == 0.0));
        frame[5] = 200.0;
        let map = solve(&frame, AS_RUN).unwrap();
        assert!((map[8] / map[20] - 1.0).abs() < 1e-3);
    }
}
