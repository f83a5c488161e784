//! Scalar losses and their weighted sum.

mod cpu;

/// `scale · Σ (a - b)²`; inputs `a` and, unless it stands for zero, `b`.
#[derive(Clone, Copy, Debug)]
pub struct SquaredError {
    /// Values per input.
    pub len: usize,
    /// Factor of the sum.
    pub scale: f32,
}

/// `scale · Σ |a - b|` with subgradient 0 at 0; inputs `a` and `b`.
#[derive(Clone, Copy, Debug)]
pub struct AbsoluteError {
    /// Values per input.
    pub len: usize,
    /// Factor of the sum.
    pub scale: f32,
}

/// `Σ weights[i] · input[i]` of scalar inputs.
#[derive(Clone, Debug)]
pub struct WeightedSum {
    /// One weight per input.
    pub weights: Vec<f32>,
}

/// `scale · Σ a` of one input.
#[derive(Clone, Copy, Debug)]
pub struct Total {
    /// Values of the input.
    pub len: usize,
    /// Factor of the sum.
    pub scale: f32,
}
