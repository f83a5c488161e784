//! Goodness-of-fit tests at significance 0.001 (one-sided).
//!
//! Seeds are fixed, so a suite that passed once passes always; the significance says how surprising a
//! failure after a change of the generator would be.

/// Normal quantile of 0.999, from any statistical table.
const Z: f64 = 3.0902;

/// Asserts that category counts fit equal probabilities (Pearson's χ²; critical value by Wilson and
/// Hilferty 1931).
///
/// # Panics
/// If they do not, or if fewer than 10 are expected in each category.
pub fn assert_equal_shares(name: &str, counts: &[u64]) {
    let (total, categories) = (counts.iter().sum::<u64>() as f64, counts.len() as f64);
    let expected = total / categories;
    assert!(expected >= 10.0, "{name}: too few samples, {counts:?}");
    let squares = counts
        .iter()
        .map(|&count| (count as f64 - expected).powi(2));
    let statistic = squares.sum::<f64>() / expected;
    let df = categories - 1.0;
    let spread = 2.0 / (9.0 * df);
    let critical = df * (1.0 - spread + Z * spread.sqrt()).powi(3);
    assert!(
        statistic < critical,
        "{name}: χ² is {statistic:.1}, critical {critical:.1}, counts {counts:?}"
    );
}

/// Asserts that samples follow the cumulative distribution `cdf` (Kolmogorov and Smirnov; asymptotic
/// critical value 1.9495/√n).
///
/// # Panics
/// If they do not, or if there are fewer than 50.
pub fn assert_follows(name: &str, mut samples: Vec<f64>, cdf: impl Fn(f64) -> f64) {
    let n = samples.len() as f64;
    assert!(n >= 50.0, "{name}: only {n} samples");
    samples.sort_by(f64::total_cmp);
    let mut worst = 0.0_f64;
    for (rank, &sample) in samples.iter().enumerate() {
        let p = cdf(sample);
        worst = worst.max((p - rank as f64 / n).abs());
        worst = worst.max(((rank as f64 + 1.0) / n - p).abs());
    }
    let critical = 1.9495 / n.sqrt();
    assert!(
        worst < critical,
        "{name}: greatest distance of {n} samples is {worst:.5}, critical {critical:.5}"
    );
}

/// Asserts that samples are uniform between `low` and `high`.
///
/// # Panics
/// As [`assert_follows`], and if one lies outside.
pub fn assert_uniform(name: &str, samples: Vec<f64>, low: f64, high: f64) {
    let slack = 1e-9 * (high - low);
    for &sample in &samples {
        assert!(
            (low - slack..=high + slack).contains(&sample),
            "{name}: {sample} is outside {low}..{high}"
        );
    }
    assert_follows(name, samples, |x| {
        ((x - low) / (high - low)).clamp(0.0, 1.0)
    });
}

/// Asserts that the mean of independent samples is `expected` (two-sided, 3.29 standard errors).
///
/// # Panics
/// If it is not.
pub fn assert_mean(name: &str, samples: &[f64], expected: f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    assert!(
        (mean - expected).abs() < 3.2905 * error,
        "{name}: mean of {n} samples is {mean:.6} ± {error:.6}, expected {expected:.6}"
    );
}
