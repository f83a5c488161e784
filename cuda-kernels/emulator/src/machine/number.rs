//! Operations on numbers, one lane at a time.
//!
//! Values travel as bits in a `u64`; what lies above a type's width is ignored. The approximate
//! functions (`ex2`, `rcp.approx` and so on) are those of f64 rounded once: nearer to the truth
//! than a GPU's, which may be off by two units in the last place.

use crate::ptx::operation::{Compare, Scalar};

use crate::ptx::types::{Mode, Round, Type};

/// `what` on values of type `ty`.
pub fn scalar(what: Scalar, ty: Type, mode: Mode, [a, b, c]: [u64; 3]) -> u64 {
    match ty {
        Type::F32 => {
            let [a, b, c] = [a, b, c].map(|bits| f32::from_bits(bits as u32));
            u64::from(single(what, mode, a, b, c).to_bits())
        }
        Type::F64 => {
            let [a, b, c] = [a, b, c].map(f64::from_bits);
            double(what, a, b, c).to_bits()
        }
        _ => integer(what, ty, a, b, c),
    }
}

/// The value of `bits`, extended from the type's width by its sign or by zero.
pub fn extend(ty: Type, bits: u64) -> u64 {
    let unused = 64 - 8 * ty.bytes() as u32;
    if ty.signed() {
        ((bits << unused) as i64 >> unused) as u64
    } else {
        bits << unused >> unused
    }
}

fn integer(what: Scalar, ty: Type, a: u64, b: u64, raw: u64) -> u64 {
    let width = 8 * ty.bytes() as u32;
    let (a, amount, c) = (extend(ty, a), b as u32, extend(ty, raw));
    let b = extend(ty, b);
    let signed = ty.signed();
    let full = || {
        if signed {
            (i128::from(a as i64) * i128::from(b as i64)) as u128
        } else {
            u128::from(a) * u128::from(b)
        }
    };
    let high = || extend(ty, (full() >> width) as u64);
    let less = if signed { (a as i64) < b as i64 } else { a < b };
    match what {
        Scalar::Add => a.wrapping_add(b),
        Scalar::Sub => a.wrapping_sub(b),
        Scalar::MulLow => a.wrapping_mul(b),
        Scalar::MulHigh => high(),
        Scalar::MulWide => full() as u64,
        Scalar::MadLow => a.wrapping_mul(b).wrapping_add(c),
        Scalar::MadHigh => high().wrapping_add(c),
        Scalar::MadWide => (full() as u64).wrapping_add(raw),
        // Divisions by zero have no defined result; GPUs give all ones.
        Scalar::Div if b == 0 => u64::MAX,
        Scalar::Div if signed => (a as i64).wrapping_div(b as i64) as u64,
        Scalar::Div => a / b,
        Scalar::Rem if b == 0 => u64::MAX,
        Scalar::Rem if signed => (a as i64).wrapping_rem(b as i64) as u64,
        Scalar::Rem => a % b,
        Scalar::Min => {
            if less {
                a
            } else {
                b
            }
        }
        Scalar::Max => {
            if less {
                b
            } else {
                a
            }
        }
        Scalar::Abs => (a as i64).unsigned_abs(),
        Scalar::Neg => a.wrapping_neg(),
        Scalar::Not => !a,
        Scalar::And => a & b,
        Scalar::Or => a | b,
        Scalar::Xor => a ^ b,
        Scalar::Shl => {
            if amount < width {
                a << amount
            } else {
                0
            }
        }
        Scalar::Shr if signed => ((a as i64) >> amount.min(width - 1)) as u64,
        Scalar::Shr => {
            if amount < width {
                a >> amount
            } else {
                0
            }
        }
        Scalar::Sad => {
            let difference = if less {
                b.wrapping_sub(a)
            } else {
                a.wrapping_sub(b)
            };
            difference.wrapping_add(c)
        }
        _ => bits(what, ty, [a, b, c], width),
    }
}

/// Operations that look at single bits.
fn bits(what: Scalar, ty: Type, [a, b, c]: [u64; 3], width: u32) -> u64 {
    let unsigned = a << (64 - width) >> (64 - width);
    match what {
        Scalar::Popc => u64::from(unsigned.count_ones()),
        Scalar::Clz => u64::from(unsigned.leading_zeros() - (64 - width)),
        Scalar::Brev => unsigned.reverse_bits() >> (64 - width),
        Scalar::Bfind => {
            let looked = if ty.signed() && (a as i64) < 0 {
                !a
            } else {
                unsigned
            };
            u64::from(63u32.wrapping_sub(looked.leading_zeros()))
        }
        Scalar::Bfe => extract(ty, unsigned, (b & 0xff) as u32, (c & 0xff) as u32, width),
        Scalar::Bfi => {
            let (start, len) = ((c >> 8 & 0xff) as u32, (c & 0xff) as u32);
            let ones = if len >= 32 {
                u64::from(u32::MAX)
            } else {
                (1 << len) - 1
            };
            let field = if start >= 32 { 0 } else { ones << start };
            (b & !field) | (a << start.min(63) & field)
        }
        Scalar::Prmt => permute(a as u32, b as u32, c as u32),
        Scalar::Lop3(table) => (0..32).fold(0, |out, bit| {
            let index = (a >> bit & 1) << 2 | (b >> bit & 1) << 1 | c >> bit & 1;
            out | u64::from(table >> index & 1) << bit
        }),
        Scalar::Funnel { left, clamp } => {
            let pair = (b & 0xffff_ffff) << 32 | a & 0xffff_ffff;
            let amount = if clamp { c.min(32) } else { c % 32 };
            if left {
                pair << amount >> 32
            } else {
                pair >> amount
            }
        }
        _ => unreachable!("{what:?} of {ty:?}: the decoder lets only numbers of its kind through"),
    }
}

fn extract(ty: Type, a: u64, start: u32, len: u32, width: u32) -> u64 {
    if len == 0 {
        return 0;
    }
    let sign_at = (start + len - 1).min(width - 1);
    let sign = ty.signed() && a >> sign_at & 1 != 0;
    let shifted = if start < width { a >> start } else { 0 };
    let kept = len.min(width.saturating_sub(start));
    let ones = if kept >= 64 {
        u64::MAX
    } else {
        (1 << kept) - 1
    };
    if sign {
        shifted & ones | !ones
    } else {
        shifted & ones
    }
}

fn permute(a: u32, b: u32, selector: u32) -> u64 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    (0..4).fold(0, |out, at| {
        let pick = selector >> (4 * at) & 0xf;
        let byte = bytes >> (8 * (pick & 7)) & 0xff;
        let byte = if pick & 8 == 0 {
            byte
        } else {
            (byte >> 7) * 0xff
        };
        out | byte << (8 * at)
    })
}

fn single(what: Scalar, mode: Mode, a: f32, b: f32, c: f32) -> f32 {
    let [a, b, c] = if mode.flush {
        [a, b, c].map(flush)
    } else {
        [a, b, c]
    };
    let through = |f: fn(f64) -> f64| f(f64::from(a)) as f32;
    let [wide_a, wide_b, wide_c] = [a, b, c].map(f64::from);
    let result = match what {
        Scalar::Add => toward(mode.round, a + b, two_sum(wide_a, wide_b)),
        Scalar::Sub => toward(mode.round, a - b, two_sum(wide_a, -wide_b)),
        Scalar::MulLow => toward(mode.round, a * b, (wide_a * wide_b, 0.0)),
        Scalar::Fma => {
            let exact = two_sum(wide_a * wide_b, wide_c);
            toward(mode.round, a.mul_add(b, c), exact)
        }
        Scalar::Div => toward(mode.round, a / b, (wide_a / wide_b, 0.0)),
        Scalar::Rcp => toward(mode.round, 1.0 / a, (1.0 / wide_a, 0.0)),
        Scalar::Sqrt => toward(mode.round, a.sqrt(), (wide_a.sqrt(), 0.0)),
        Scalar::Min => a.min(b),
        Scalar::Max => a.max(b),
        Scalar::Abs => a.abs(),
        Scalar::Neg => -a,
        Scalar::CopySign => b.copysign(a),
        Scalar::Rsqrt => through(|x| 1.0 / x.sqrt()),
        Scalar::Ex2 => through(f64::exp2),
        Scalar::Lg2 => through(f64::log2),
        Scalar::Sin => through(f64::sin),
        Scalar::Cos => through(f64::cos),
        Scalar::Tanh => through(f64::tanh),
        _ => unreachable!("{what:?} of f32: the decoder lets only operations on floats through"),
    };
    let result = if mode.flush { flush(result) } else { result };
    if mode.saturate {
        saturate(result)
    } else {
        result
    }
}

fn double(what: Scalar, a: f64, b: f64, c: f64) -> f64 {
    match what {
        Scalar::Add => a + b,
        Scalar::Sub => a - b,
        Scalar::MulLow => a * b,
        Scalar::Fma => a.mul_add(b, c),
        Scalar::Div => a / b,
        Scalar::Rcp => 1.0 / a,
        Scalar::Sqrt => a.sqrt(),
        Scalar::Rsqrt => 1.0 / a.sqrt(),
        Scalar::Min => a.min(b),
        Scalar::Max => a.max(b),
        Scalar::Abs => a.abs(),
        Scalar::Neg => -a,
        Scalar::CopySign => b.copysign(a),
        _ => unreachable!("{what:?} of f64: the decoder lets only operations on floats through"),
    }
}

/// Subnormal numbers become zero of their sign.
pub fn flush(x: f32) -> f32 {
    if x.is_subnormal() {
        0f32.copysign(x)
    } else {
        x
    }
}

/// Clamped to 0..=1; NaN becomes 0.
pub fn saturate(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) }
}

/// The sum and what rounding took off it (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let from_b = sum - a;
    (sum, (a - (sum - from_b)) + (b - from_b))
}

/// `nearest` or its neighbour, by `round`; `exact` is the true value in two parts.
pub fn toward(round: Round, nearest: f32, (exact, rest): (f64, f64)) -> f32 {
    if round == Round::Nearest || !exact.is_finite() {
        return nearest;
    }
    let excess = f64::from(nearest) - exact - rest;
    let down = match round {
        Round::Down => true,
        Round::Zero => exact > 0.0,
        Round::Up | Round::Nearest => false,
    };
    match (down, excess > 0.0, excess < 0.0) {
        (true, true, _) => nearest.next_down(),
        (false, _, true) => nearest.next_up(),
        _ => nearest,
    }
}

/// Whether `a` and `b`, of type `ty`, compare as asked.
pub fn compare(how: Compare, ty: Type, a: u64, b: u64) -> bool {
    let order = match ty {
        Type::F32 => f32::from_bits(a as u32).partial_cmp(&f32::from_bits(b as u32)),
        Type::F64 => f64::from_bits(a).partial_cmp(&f64::from_bits(b)),
        _ if ty.signed() => Some((extend(ty, a) as i64).cmp(&(extend(ty, b) as i64))),
        _ => Some(extend(ty, a).cmp(&extend(ty, b))),
    };
    let is = |f: fn(std::cmp::Ordering) -> bool, nan| order.map_or(nan, f);
    match how {
        Compare::Eq => is(|o| o.is_eq(), false),
        Compare::Ne => is(|o| o.is_ne(), false),
        Compare::Lt => is(|o| o.is_lt(), false),
        Compare::Le => is(|o| o.is_le(), false),
        Compare::Gt => is(|o| o.is_gt(), false),
        Compare::Ge => is(|o| o.is_ge(), false),
        Compare::Equ => is(|o| o.is_eq(), true),
        Compare::Neu => is(|o| o.is_ne(), true),
        Compare::Ltu => is(|o| o.is_lt(), true),
        Compare::Leu => is(|o| o.is_le(), true),
        Compare::Gtu => is(|o| o.is_gt(), true),
        Compare::Geu => is(|o| o.is_ge(), true),
        Compare::Num => order.is_some(),
        Compare::Nan => order.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(what: Scalar, ty: Type, from: [u64; 3]) -> u64 {
        scalar(what, ty, Mode::default(), from)
    }

    #[test]
    fn integers_of_every_width() {
        let minus = |x: i64| x as u64;
        assert_eq!(
            of(Scalar::MulWide, Type::S32, [minus(-3), 5, 0]),
            minus(-15)
        );
        assert_eq!(
            of(Scalar::MulWide, Type::U32, [0xffff_ffff, 2, 0]),
            0x1_ffff_fffe
        );
        assert_eq!(of(Scalar::MulHigh, Type::U32, [0xffff_ffff, 2, 0]), 1);
        assert_eq!(of(Scalar::Shr, Type::S32, [0x8000_0000, 40, 0]), u64::MAX);
        assert_eq!(of(Scalar::Shl, Type::U32, [1, 32, 0]), 0);
        assert_eq!(of(Scalar::Rem, Type::S32, [minus(-7), 3, 0]) as i64, -1);
        assert_eq!(of(Scalar::Clz, Type::U32, [1, 0, 0]), 31);
        assert_eq!(of(Scalar::Bfind, Type::U32, [0x10, 0, 0]), 4);
    }

    // Values from the pseudo-code of the PTX ISA, sections bfe, bfi, prmt, lop3, shf.
    #[test]
    fn bits_are_moved_as_the_isa_says() {
        assert_eq!(of(Scalar::Bfe, Type::U32, [0xabcd, 4, 8]), 0xbc);
        assert_eq!(of(Scalar::Bfe, Type::S32, [0x80, 4, 4]) as u32, 0xffff_fff8);
        assert_eq!(of(Scalar::Bfi, Type::U32, [0xf, 0xff00, 0x0404]), 0xfff0);
        assert_eq!(
            of(Scalar::Prmt, Type::U32, [0x4433_2211, 0x8877_6655, 0x7410]),
            0x8855_2211
        );
        assert_eq!(
            of(Scalar::Prmt, Type::U32, [0x80, 0, 0x8]) as u32 & 0xff,
            0xff
        );
        let table = 0xf0 & 0xcc | 0xaa;
        assert_eq!(
            of(Scalar::Lop3(table), Type::U32, [0b1100, 0b1010, 1]),
            0b1001
        );
        let right = Scalar::Funnel {
            left: false,
            clamp: false,
        };
        assert_eq!(
            of(right, Type::U32, [0x1234_5678, 0x9abc_def0, 36]) as u32,
            0x0123_4567
        );
    }

    #[test]
    fn roundings_enclose_the_truth() {
        let mode = |round| Mode {
            round,
            ..Mode::default()
        };
        let third = |round| single(Scalar::Div, mode(round), 1.0, 3.0, 0.0);
        assert_eq!(third(Round::Up), third(Round::Down).next_up());
        assert_eq!(third(Round::Zero), third(Round::Down));
        // 1 + 2^-30 is nearest to 1 and lies above it.
        let sum = |round| single(Scalar::Add, mode(round), 1.0, 2f32.powi(-30), 0.0);
        assert_eq!((sum(Round::Down), sum(Round::Nearest)), (1.0, 1.0));
        assert_eq!(sum(Round::Up), 1f32.next_up());
    }

    #[test]
    fn comparisons_with_nan() {
        let nan = u64::from(f32::NAN.to_bits());
        assert!(compare(Compare::Gtu, Type::F32, nan, 0));
        assert!(!compare(Compare::Ne, Type::F32, nan, 0));
        assert!(compare(Compare::Lt, Type::S32, u64::from(u32::MAX), 0));
        assert!(compare(Compare::Gt, Type::U32, u64::from(u32::MAX), 0));
    }

    #[test]
    fn approximations_are_near_known_values() {
        let x = |what, a: f32| single(what, Mode::default(), a, 0.0, 0.0);
        assert_eq!(x(Scalar::Ex2, 0.5), std::f32::consts::SQRT_2);
        assert_eq!(x(Scalar::Lg2, 8.0), 3.0);
        assert_eq!(x(Scalar::Rsqrt, 4.0), 0.5);
        assert_eq!(x(Scalar::Rcp, 3.0), 1.0 / 3.0);
        let flushed = Mode {
            flush: true,
            ..Mode::default()
        };
        assert_eq!(single(Scalar::Ex2, flushed, -140.0, 0.0, 0.0), 0.0);
    }
}
