//! `cvt`: between widths, signs, and floats.

use super::number::{extend, flush, saturate, toward};
use crate::ptx::types::{Mode, Round, Type};

/// `bits` of type `from` as type `to`; `whole` rounds floats to whole numbers.
pub fn convert(to: Type, from: Type, mode: Mode, whole: bool, bits: u64) -> u64 {
    match (from, to) {
        (Type::F32, Type::F32) => {
            let x = f32::from_bits(bits as u32);
            let x = if mode.flush { flush(x) } else { x };
            let x = if whole {
                rounded(mode.round, f64::from(x)) as f32
            } else {
                x
            };
            let x = if mode.saturate { saturate(x) } else { x };
            u64::from(x.to_bits())
        }
        (Type::F32, Type::F64) => f64::from(f32::from_bits(bits as u32)).to_bits(),
        (Type::F64, Type::F32) => {
            let x = f64::from_bits(bits);
            u64::from(toward(mode.round, x as f32, (x, 0.0)).to_bits())
        }
        (Type::F64, Type::F64) => {
            let x = f64::from_bits(bits);
            if whole {
                rounded(mode.round, x).to_bits()
            } else {
                bits
            }
        }
        (Type::F32, _) => {
            let x = f32::from_bits(bits as u32);
            let x = if mode.flush { flush(x) } else { x };
            to_integer(to, rounded(mode.round, f64::from(x)))
        }
        (Type::F64, _) => to_integer(to, rounded(mode.round, f64::from_bits(bits))),
        (_, Type::F32) => u64::from(to_single(from, mode.round, bits).to_bits()),
        (_, Type::F64) if from.signed() => (extend(from, bits) as i64 as f64).to_bits(),
        (_, Type::F64) => (extend(from, bits) as f64).to_bits(),
        _ => extend(from, bits),
    }
}

/// To tf32: ten bits of fraction, ties away from zero, the rest zero (`cvt.rna.tf32.f32`).
pub fn to_tf32(bits: u32) -> u32 {
    let finite = bits & 0x7f80_0000 != 0x7f80_0000;
    let rounded = bits.wrapping_add(0x1000) & !0x1fff;
    if finite { rounded } else { bits }
}

fn rounded(round: Round, x: f64) -> f64 {
    match round {
        Round::Nearest => x.round_ties_even(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    }
}

/// Clamped to the type's range; NaN becomes 0.
fn to_integer(to: Type, x: f64) -> u64 {
    match to {
        Type::S8 => x as i8 as u64,
        Type::S16 => x as i16 as u64,
        Type::S32 => x as i32 as u64,
        Type::S64 => x as i64 as u64,
        Type::U8 => u64::from(x as u8),
        Type::U16 => u64::from(x as u16),
        Type::U32 => u64::from(x as u32),
        _ => x as u64,
    }
}

fn to_single(from: Type, round: Round, bits: u64) -> f32 {
    let value = extend(from, bits);
    let (nearest, exact) = if from.signed() {
        (value as i64 as f32, value as i64 as f64)
    } else {
        (value as f32, value as f64)
    };
    toward(round, nearest, (exact, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_whole_numbers() {
        let down = Mode {
            round: Round::Down,
            ..Mode::default()
        };
        let bits = |x: f32| u64::from(x.to_bits());
        let to = |to, x| convert(to, Type::F32, down, true, bits(x)) as i64;
        assert_eq!(to(Type::S32, -1.5), -2);
        assert_eq!(to(Type::S32, 1e20), i64::from(i32::MAX));
        assert_eq!(to(Type::U32, -1.0), 0);
        assert_eq!(to(Type::S32, f32::NAN), 0);
        let even = convert(Type::F32, Type::F32, Mode::default(), true, bits(2.5));
        assert_eq!(even, bits(2.0));
    }

    #[test]
    fn integers_keep_their_sign() {
        let to = |to, from, bits| convert(to, from, Mode::default(), false, bits);
        assert_eq!(to(Type::S64, Type::S32, 0xffff_fffe) as i64, -2);
        assert_eq!(to(Type::U64, Type::U32, 0xffff_fffe), 0xffff_fffe);
        assert_eq!(
            to(Type::F32, Type::S32, 0xffff_fffe) as u32,
            (-2f32).to_bits()
        );
    }

    #[test]
    fn tf32_keeps_ten_bits() {
        let one = 1f32.to_bits();
        assert_eq!(to_tf32(one + 0xfff), one);
        assert_eq!(
            to_tf32(one + 0x1000),
            one + 0x2000,
            "ties go away from zero"
        );
    }
}
