//! Elementwise `a + b`, `a - b` and `a · b`.

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a · b`.
    Mul,
}

/// The output.
pub fn forward(op: Arithmetic, inputs: &[Vec<f64>]) -> Vec<f64> {
    let pairs = inputs[0].iter().zip(&inputs[1]);
    pairs
        .map(|(a, b)| match op {
            Arithmetic::Add => a + b,
            Arithmetic::Sub => a - b,
            Arithmetic::Mul => a * b,
        })
        .collect()
}

/// Gradients by `a` and `b`.
pub fn backward(op: Arithmetic, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let mut grads = vec![Vec::new(); 2];
    for (k, g) in dy.iter().enumerate() {
        let (da, db) = match op {
            Arithmetic::Add => (1.0, 1.0),
            Arithmetic::Sub => (1.0, -1.0),
            Arithmetic::Mul => (inputs[1][k], inputs[0][k]),
        };
        grads[0].push(da * g);
        grads[1].push(db * g);
    }
    grads
}
