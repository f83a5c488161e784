//! Thresholds entry by entry; see [`derefnet::ops::Rule`].

use derefnet::ops::{Rule, Shrink};

use super::sign;

/// What becomes of a value: its slope by itself and by the threshold, and the value.
fn entry(rule: Rule, least: f64, v: f64, theta: f64) -> (f64, f64, f64) {
    let shrunk = |theta: f64| {
        let rest = v.abs() - theta;
        if rest > 0.0 {
            (1.0, -sign(v), sign(v) * rest)
        } else {
            (0.0, 0.0, 0.0)
        }
    };
    match rule {
        Rule::Soft if theta > 0.0 => shrunk(theta),
        Rule::Soft => {
            let (by_value, _, value) = shrunk(0.0);
            (by_value, 0.0, value)
        }
        Rule::Hard if v.abs() > theta => (1.0, 0.0, v),
        Rule::Hard => (0.0, 0.0, 0.0),
        Rule::Support(_) if v.abs() > theta && v.abs() > least => (1.0, 0.0, v),
        Rule::Support(_) => shrunk(theta),
    }
}

/// The magnitude that a share of `row` exceeds, linear between order statistics.
fn least(rule: Rule, row: &[f64]) -> f64 {
    let Rule::Support(share) = rule else {
        return 0.0;
    };
    let mut sizes: Vec<f64> = row.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let place = f64::from(1.0 - share) * (row.len() - 1) as f64;
    let (below, rest) = (place.floor() as usize, place - place.floor());
    let above = (below + 1).min(row.len() - 1);
    sizes[below] + rest * (sizes[above] - sizes[below])
}

fn entries(op: &Shrink, inputs: &[Vec<f64>]) -> Vec<(f64, f64, f64)> {
    let rows = inputs[0].chunks(op.len).zip(inputs[1].chunks(op.len));
    let row = |(v, theta): (&[f64], &[f64])| {
        let least = least(op.rule, v);
        let pairs = v.iter().zip(theta);
        let all: Vec<_> = pairs.map(|(&v, &t)| entry(op.rule, least, v, t)).collect();
        all
    };
    rows.flat_map(row).collect()
}

/// The output; inputs `v` and `θ`.
pub fn forward(op: &Shrink, inputs: &[Vec<f64>]) -> Vec<f64> {
    entries(op, inputs).iter().map(|e| e.2).collect()
}

/// Gradients by `v` and `θ`.
pub fn backward(op: &Shrink, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let entries = entries(op, inputs);
    let times = |slope: fn(&(f64, f64, f64)) -> f64| {
        let pairs = entries.iter().zip(dy);
        pairs.map(|(e, g)| slope(e) * g).collect()
    };
    vec![times(|e| e.0), times(|e| e.1)]
}
