//! Where a descent leads, and what its end is worth.

use super::super::count::log_evidence;
use super::*;

/// Ends of descents from a poor start that may evaluate the model so often.
fn costs(problem: &Problem, start: &State, evaluations: core::ops::Range<u32>) -> List<f64> {
    let end = |evaluations| {
        let effort = Effort {
            evaluations,
            tolerance: 1e-9,
        };
        let mut descent = Descent::ZERO;
        descent.run(problem, start, effort).cost
    };
    evaluations.map(end).collect()
}

/// From near and far, dim and bright: where the model is far from a plane, some steps would climb. In
/// noise as loud as 60 counts they would climb by little.
#[test]
fn a_descent_never_climbs() {
    for count in 1..=4 {
        let counts = rounded(window(&places(count), 0.0));
        with_problem(config(), &counts, None, |problem| {
            for (apart, dimmed) in [(0.4, 0.6), (0.2, 1.5), (0.8, 0.3), (1.2, 1.0), (1.6, 2.5)] {
                let mut start = state(count);
                for (k, source) in start.sources.iter_mut().enumerate().take(count) {
                    source[0] += apart * (k as f64 - 1.5);
                    source[2] *= dimmed;
                }
                for (variance, share) in [(problem.variance, 0.1), (36.0, 0.5), (3600.0, 0.5)] {
                    let problem = Problem {
                        variance,
                        ..*problem
                    };
                    let costs = costs(&problem, &start, 1..60);
                    assert!(costs.windows(2).all(|pair| pair[1] <= pair[0]), "{costs:?}");
                    assert!(costs[58] < share * costs[0], "{costs:?}");
                }
            }
        });
    }
}

/// Logarithm of the determinant, by elimination without exchanging rows.
fn log_determinant(matrix: &Packed, order: usize) -> f64 {
    let row = |i| (0..order).map(|j| matrix.get(i, j)).collect();
    let mut rows: List<List<f64>> = (0..order).map(row).collect();
    let mut sum = 0.0;
    for i in 0..order {
        let pivot = rows[i].clone();
        sum += libm::log(pivot[i]);
        for row in &mut rows[i + 1..] {
            let factor = row[i] / pivot[i];
            row.iter_mut()
                .zip(&pivot)
                .for_each(|(a, b)| *a -= factor * b);
        }
    }
    sum
}

/// Laplace's approximation, `½ k log 2π - ½ log det H - cost`: what all else in it adds is the same
/// for data of any noise.
#[test]
fn evidence_falls_with_the_precision_that_a_source_needs() {
    for count in 1..=3 {
        let counts = window(&places(count), 0.0);
        with_problem(unarranged(), &counts, None, |problem| {
            let effort = Effort {
                evaluations: 200,
                tolerance: 1e-9,
            };
            let [loud, quiet] = [40.0, 0.4].map(|variance| {
                let problem = Problem {
                    variance,
                    ..*problem
                };
                let mut descent = Descent::ZERO;
                let end = descent.run(&problem, &state(count), effort).state;
                let evidence = log_evidence(&problem, &end, &mut descent);
                let normal = evaluated(&problem, &end);
                let volume = -0.5 * log_determinant(&normal.matrix, end.order());
                (evidence, volume, normal.cost)
            });
            assert!(loud.1 - quiet.1 > 3.0 * count as f64, "{loud:?} {quiet:?}");
            let got = loud.0 - quiet.0;
            let expected = (loud.1 - loud.2) - (quiet.1 - quiet.2);
            assert!(close(got, expected, 1e-9), "{got} {expected}");
        });
    }
}
