//! The one portable random generator.
//!
//! ChaCha with eight rounds behind a seed, a [`Domain`] and a stream number: each piece of work (a
//! trajectory, a training epoch) opens its own stream, so its numbers depend neither on the order of
//! work nor on the number of threads. All arithmetic is integer, or `f64` through `libm`: the same
//! arguments give the same bits on every platform. `usize` is never sampled.
//!
//! A change of any output is a change of [`DATA_VERSION`](crate::scene::DATA_VERSION).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// Separates users of one seed: two domains never share numbers. Eight ASCII bytes by convention.
pub type Domain = [u8; 8];

/// Where a generator stands; restores it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RngState {
    /// Seed given at creation.
    pub seed: u64,
    /// Domain given at creation.
    pub domain: Domain,
    /// Stream given at creation.
    pub stream: u64,
    /// 32-bit words drawn so far.
    pub words: u64,
}

/// Seeded stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    inner: ChaCha8Rng,
    seed: u64,
    domain: Domain,
}

impl Rng {
    /// Opens stream `stream` of `seed` in `domain`. The ChaCha key is seed (little endian), domain
    /// and zeros; the stream number is ChaCha's nonce.
    pub fn new(seed: u64, domain: Domain, stream: u64) -> Self {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&domain);
        let mut inner = ChaCha8Rng::from_seed(key);
        inner.set_stream(stream);
        Self {
            inner,
            seed,
            domain,
        }
    }

    /// Reopens a generator where [`Rng::state`] left it.
    pub fn from_state(state: RngState) -> Self {
        let mut rng = Self::new(state.seed, state.domain, state.stream);
        rng.inner.set_word_pos(u128::from(state.words));
        rng
    }

    /// Present position, for checkpoints.
    pub fn state(&self) -> RngState {
        RngState {
            seed: self.seed,
            domain: self.domain,
            stream: self.inner.get_stream(),
            words: self.inner.get_word_pos() as u64,
        }
    }

    /// Uniform over all 32-bit words.
    pub fn next_u32(&mut self) -> u32 {
        self.inner.next_u32()
    }

    /// Uniform over all 64-bit words.
    pub fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[lo, hi)`; rounding may return `hi` itself when the interval is a few ulps wide.
    pub fn range(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.uniform()
    }

    /// Unbiased integer in `0..n`, by multiplication with rejection (Lemire 2019).
    ///
    /// # Panics
    /// If `n` is zero.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "below(0) has no answer");
        let short = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(n);
            if product as u32 >= short {
                return (product >> 32) as u32;
            }
        }
    }

    /// Two independent standard normal numbers (Box and Muller 1958).
    pub fn gaussian_pair(&mut self) -> (f64, f64) {
        // 1 - uniform lies in (0, 1], so the logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        let (sin, cos) = libm::sincos(core::f64::consts::TAU * self.uniform());
        (radius * cos, radius * sin)
    }

    /// One standard normal number; the second of its pair is dropped, so that [`RngState`] stays a
    /// position and nothing else. Use [`Rng::gaussian_pair`] in bulk.
    pub fn gaussian(&mut self) -> f64 {
        self.gaussian_pair().0
    }

    /// Uniform point of the disc of `radius` around the origin.
    pub fn in_disc(&mut self, radius: f64) -> (f64, f64) {
        let distance = radius * libm::sqrt(self.uniform());
        let (sin, cos) = libm::sincos(core::f64::consts::TAU * self.uniform());
        (distance * cos, distance * sin)
    }

    /// Puts `items` in uniformly random order (Fisher–Yates).
    ///
    /// # Panics
    /// If there are more than `u32::MAX` items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        assert!(
            u32::try_from(items.len()).is_ok(),
            "shuffle draws 32-bit indices"
        );
        for last in (1..items.len()).rev() {
            let other = self.below(last as u32 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_domains_and_seeds_differ() {
        let first = |seed, domain, stream| Rng::new(seed, domain, stream).next_u64();
        let base = first(1, *b"rng-test", 0);
        assert_ne!(base, first(2, *b"rng-test", 0));
        assert_ne!(base, first(1, *b"rng-tesu", 0));
        assert_ne!(base, first(1, *b"rng-test", 1));
    }
}
