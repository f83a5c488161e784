//! `y = max(x, 0) + slope · min(x, 0)`; at 0 the slope is that of negative values.

/// The output; inputs `x` and the slope.
pub fn forward(inputs: &[Vec<f64>]) -> Vec<f64> {
    let slope = inputs[1][0];
    let x = inputs[0].iter();
    x.map(|&x| x.max(0.0) + slope * x.min(0.0)).collect()
}

/// Gradients by `x` and the slope.
pub fn backward(inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let slope = inputs[1][0];
    let pairs = || inputs[0].iter().zip(dy);
    let dx = pairs().map(|(&x, g)| if x > 0.0 { *g } else { slope * g });
    vec![
        dx.collect(),
        vec![pairs().map(|(x, g)| g * x.min(0.0)).sum()],
    ]
}
