//! Fixed-point numbers: one rescaling, one rounding, saturation.
//!
//! Integers that change their scale are multiplied in 64 bits, most by [`Requant`]'s 31-bit multiplier,
//! and rounded once, as [`rounded_shift`] does: add half a unit, shift right arithmetically. So ties
//! round towards plus infinity everywhere.

use crate::error::{Error, Result};

/// Fraction bits of shares between 0 and 1: gates, and weights of bilinear samples.
pub const SHARE_BITS: u32 = 14;
/// A share of 1.
pub const WHOLE: i32 = 1 << SHARE_BITS;

/// A factor `multiplier · 2^-shift` that takes a sum to the scale of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requant {
    multiplier: i32,
    shift: u8,
}

impl Requant {
    /// Least and greatest shift; from 32 on, only the upper word of a product matters.
    pub const SHIFTS: core::ops::RangeInclusive<u8> = 32..=62;
    /// The factor 0.
    pub const ZERO: Self = Self {
        multiplier: 0,
        shift: 32,
    };

    /// The factor `multiplier · 2^-shift`.
    ///
    /// # Errors
    /// [`Error::Domain`] for a negative multiplier or a shift outside [`Self::SHIFTS`].
    pub fn new(multiplier: i32, shift: u8) -> Result<Self> {
        let domain = |what, expected, got| {
            Err(Error::Domain {
                what,
                expected,
                got,
            })
        };
        if multiplier < 0 {
            return domain("requantisation multiplier", "0 or more", multiplier.into());
        }
        if !Self::SHIFTS.contains(&shift) {
            return domain("requantisation shift", "32 to 62", shift.into());
        }
        Ok(Self { multiplier, shift })
    }

    /// The factor nearest to `factor`, with a multiplier of 31 bits where the shift allows it.
    ///
    /// # Errors
    /// [`Error::Domain`] unless `factor` is finite, 0 or more, and below ½.
    pub fn nearest(factor: f64) -> Result<Self> {
        if !(0.0..0.5).contains(&factor) {
            return Err(Error::Domain {
                what: "requantisation factor",
                expected: "0 or more and below 1/2",
                got: factor,
            });
        }
        let mut shift = 32u8;
        let mut scaled = factor * 4_294_967_296.0;
        while scaled < 1_073_741_824.0 && shift < 62 {
            scaled *= 2.0;
            shift += 1;
        }
        let multiplier = libm::rint(scaled).min(f64::from(i32::MAX)) as i32;
        Ok(Self { multiplier, shift })
    }

    /// The integer factor, 0 or more.
    pub const fn multiplier(self) -> i32 {
        self.multiplier
    }

    /// How far products are shifted right, 32..=62.
    pub const fn shift(self) -> u8 {
        self.shift
    }

    /// The factor as a number.
    pub fn factor(self) -> f64 {
        libm::ldexp(f64::from(self.multiplier), -i32::from(self.shift))
    }

    /// `round(sum · multiplier · 2^-shift)`, ties towards plus infinity; any `sum` fits.
    #[inline(always)]
    pub const fn apply(self, sum: i32) -> i32 {
        rounded_shift(sum as i64 * self.multiplier as i64, self.shift) as i32
    }
}

/// `round(product · 2^-shift)`, ties towards plus infinity, for a `shift` of 1..=62 and a `product`
/// below 2⁶² in magnitude.
#[inline(always)]
pub const fn rounded_shift(product: i64, shift: u8) -> i64 {
    let shift = shift as u32 & 63;
    product.wrapping_add(1i64 << (shift.wrapping_sub(1) & 63)) >> shift
}

/// `value` as an `i16`, at the nearest end of its range where it does not fit; the flag tells
/// whether it did not.
#[inline(always)]
pub const fn saturate(value: i32) -> (i16, bool) {
    if value > i16::MAX as i32 {
        (i16::MAX, true)
    } else if value < i16::MIN as i32 {
        (i16::MIN, true)
    } else {
        (value as i16, false)
    }
}

/// `value · share`, for a share of at most 1 ([`WHOLE`]): fits by itself.
#[inline(always)]
pub const fn weigh(value: i16, share: i16) -> i16 {
    ((value as i32 * share as i32 + (1 << (SHARE_BITS - 1))) >> SHARE_BITS) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_round_once_and_ties_go_up() {
        let half = Requant::new(1 << 30, 31 + 1).unwrap();
        assert_eq!(half.factor(), 0.25);
        // 2/4 and -2/4 lie between integers.
        assert_eq!(
            [2, -2, 6, -6, 3, -3].map(|sum| half.apply(sum)),
            [1, 0, 2, -1, 1, -1]
        );
        assert_eq!(Requant::ZERO.apply(i32::MIN), 0);
    }

    #[test]
    fn nearest_factors_are_within_a_31st_bit() {
        for factor in [0.499_999, 0.3, 0.01, 3e-5, 1e-9, 0.0] {
            let got = Requant::nearest(factor).unwrap().factor();
            assert!(
                (got - factor).abs() <= factor * 1e-9 + 1e-19,
                "{factor} {got}"
            );
        }
        assert!(
            [0.5, -0.1, f64::NAN]
                .iter()
                .all(|&f| Requant::nearest(f).is_err())
        );
    }

    #[test]
    fn factors_out_of_range_are_refused() {
        let refused = |multiplier: i32, shift: u8| match Requant::new(multiplier, shift) {
            Err(Error::Domain { what, got, .. }) => (what, got),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(-1, 40), ("requantisation multiplier", -1.0));
        assert_eq!(refused(5, 31), ("requantisation shift", 31.0));
        assert_eq!(refused(5, 63), ("requantisation shift", 63.0));
    }

    #[test]
    fn the_greatest_sums_fit() {
        let most = Requant::new(i32::MAX, 32).unwrap();
        // -2³¹ · (2³¹ - 1) · 2⁻³² = -2³⁰ + ½.
        assert_eq!(most.apply(i32::MIN), -(1 << 30) + 1);
        assert_eq!(saturate(40_000), (i16::MAX, true));
        assert_eq!(saturate(-32_768), (i16::MIN, false));
        assert_eq!(weigh(i16::MIN, WHOLE as i16), i16::MIN);
    }
}
