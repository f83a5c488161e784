//! Ratios of sums with an honest standard error.

/// `Σ numerators / Σ denominators` over clusters, such as trajectories, whose members depend on
/// each other.
///
/// Windows of one trajectory share frames, so their errors are far from independent; the standard
/// error counts each trajectory once (linearised ratio estimator, Cochran, *Sampling Techniques*,
/// 3rd ed., §6.4).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ratio {
    /// Cluster and its two sums.
    clusters: Vec<(u64, [f64; 2])>,
}

impl Ratio {
    /// Adds one member. Members of one cluster must come one after the other.
    pub fn push(&mut self, cluster: u64, numerator: f64, denominator: f64) {
        match self.clusters.last_mut() {
            Some((last, sums)) if *last == cluster => {
                sums[0] += numerator;
                sums[1] += denominator;
            }
            _ => self.clusters.push((cluster, [numerator, denominator])),
        }
    }

    /// Both sums.
    pub fn sums(&self) -> [f64; 2] {
        let add = |[a, b]: [f64; 2], (_, [c, d]): &(u64, [f64; 2])| [a + c, b + d];
        self.clusters.iter().fold([0.0; 2], add)
    }

    /// The ratio; nothing without denominators.
    pub fn value(&self) -> Option<f64> {
        let [numerator, denominator] = self.sums();
        (denominator > 0.0).then(|| numerator / denominator)
    }

    /// Standard error of [`Self::value`]; nothing for fewer than two clusters.
    pub fn standard_error(&self) -> Option<f64> {
        let (ratio, [_, whole]) = (self.value()?, self.sums());
        let count = self.clusters.len() as f64;
        if count < 2.0 {
            return None;
        }
        let residues = self.clusters.iter().map(|(_, [n, d])| n - ratio * d);
        let squares: f64 = residues.map(|r| r * r).sum();
        Some(libm::sqrt(squares * count / (count - 1.0)) / whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn equals_the_mean_and_its_textbook_error() {
        let mut ratio = Ratio::default();
        for (cluster, value) in [1.0, 3.0, 2.0, 6.0].into_iter().enumerate() {
            ratio.push(cluster as u64, value, 1.0);
        }
        assert_eq!(ratio.value(), Some(3.0));
        // Sample variance 14/3, four samples.
        let error = ratio.standard_error().unwrap();
        assert!((error - (14.0_f64 / 12.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn copies_within_a_cluster_add_no_certainty() {
        let (mut once, mut often) = (Ratio::default(), Ratio::default());
        let mut rng = Rng::new(1, *b"ratio-ts", 0);
        for cluster in 0..50 {
            let value = rng.uniform();
            once.push(cluster, value, 1.0);
            (0..16).for_each(|_| often.push(cluster, value, 1.0));
        }
        let (a, b) = (once.standard_error(), often.standard_error());
        assert!((a.unwrap() - b.unwrap()).abs() < 1e-12);
    }

    #[test]
    fn too_little_has_no_answer() {
        let mut ratio = Ratio::default();
        assert_eq!((ratio.value(), ratio.standard_error()), (None, None));
        ratio.push(0, 1.0, 2.0);
        assert_eq!((ratio.value(), ratio.standard_error()), (Some(0.5), None));
    }
}
