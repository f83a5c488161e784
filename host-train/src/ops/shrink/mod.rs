//! Thresholds with one value per entry: `y[n,p]` from `v[n,p]` and `θ[n,p]`.
//!
//! Where a value is kept whole or not at all the choice has no gradient.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// What happens to a value `v` with threshold `θ`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `sign(v) · max(|v| - max(θ, 0), 0)`; no gradient by `θ` where it is not positive.
    Soft,
    /// `v` where `|v| > θ`, else 0; no gradient by `θ`.
    Hard,
    /// `v` where `|v|` exceeds `θ` and the quantile `1 - share` of the row's magnitudes (linear
    /// between order statistics), else `sign(v) · max(|v| - θ, 0)` with `θ` of either sign.
    Support(f32),
}

/// Threshold; inputs `v (rows, len)` and `θ (rows, len)`.
#[derive(Clone, Copy, Debug)]
pub struct Shrink {
    /// Rows, over each of which quantiles are taken.
    pub rows: usize,
    /// Entries of a row.
    pub len: usize,
    /// What happens to a value.
    pub rule: Rule,
}

/// Where a quantile lies among sorted entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) below: usize,
    pub(crate) above: usize,
    /// Of the way from the entry below to the one above.
    pub(crate) fraction: f32,
}

impl Place {
    /// That of the quantile `share` of `len` entries.
    pub(crate) fn new(share: f32, len: usize) -> Self {
        let place = f64::from(share) * (len - 1) as f64;
        let below = place as usize;
        Self {
            below,
            above: (below + 1).min(len - 1),
            fraction: (place - below as f64) as f32,
        }
    }
}
