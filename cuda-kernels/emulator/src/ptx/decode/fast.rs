//! The operations that most time goes to, which run on all lanes at once.

use super::super::operation::{Fast, Fast64, Op, Scalar, Slot};

use super::super::tree::Operand;
use super::super::types::Type;
use super::{Decoder, refused};
use crate::error::Result;

impl Decoder<'_> {
    /// The fast form of an operation in its default mode, if it has one.
    pub(super) fn fast(
        &mut self,
        what: Scalar,
        ty: Type,
        to: &Operand,
        from: &[&Operand],
    ) -> Result<Option<Op>> {
        if let Some(fast) = single(what, ty) {
            // Operations on one value take it twice.
            let (a, b) = (from.first(), from.get(1).or(from.first()));
            let from = [self.one(a)?, self.one(b)?];
            return Ok(Some(Op::Fast(fast, self.single(to)?, from)));
        }
        if let (Some(fast), [a, b]) = (double(what, ty), from) {
            let from = [self.double(a)?, self.double(b)?];
            return Ok(Some(Op::Fast64(fast, self.double(to)?, from)));
        }
        Ok(Some(match (what, ty, from) {
            (Scalar::MadLow, Type::U32 | Type::S32, [a, b, c]) => {
                let from = [self.single(a)?, self.single(b)?, self.single(c)?];
                Op::Mad(self.single(to)?, from)
            }
            (Scalar::Fma, Type::F32, [a, b, c]) => {
                let from = [self.single(a)?, self.single(b)?, self.single(c)?];
                Op::Fma(self.single(to)?, from)
            }
            (Scalar::Fma, Type::F64, [a, b, c]) => {
                let from = [self.double(a)?, self.double(b)?, self.double(c)?];
                Op::Fma64(self.double(to)?, from)
            }
            (Scalar::MulWide, Type::U32 | Type::S32, [a, b]) => Op::MulWide {
                signed: ty == Type::S32,
                to: self.double(to)?,
                from: [self.single(a)?, self.single(b)?],
            },
            (Scalar::Shl | Scalar::Shr, Type::U64, [a, by]) => Op::Shift64 {
                left: what == Scalar::Shl,
                to: self.double(to)?,
                from: [self.double(a)?, self.single(by)?],
            },
            _ => return Ok(None),
        }))
    }

    fn one(&mut self, operand: Option<&&Operand>) -> Result<Slot> {
        self.single(operand.ok_or_else(|| refused("number of operands"))?)
    }
}

fn single(what: Scalar, ty: Type) -> Option<Fast> {
    use Type::{F32, S32, U32};
    Some(match (what, ty) {
        (Scalar::Add, U32 | S32) => Fast::Add,
        (Scalar::Sub, U32 | S32) => Fast::Sub,
        (Scalar::MulLow, U32 | S32) => Fast::Mul,
        (Scalar::Div, U32) => Fast::DivU,
        (Scalar::Rem, U32) => Fast::RemU,
        (Scalar::And, U32) => Fast::And,
        (Scalar::Or, U32) => Fast::Or,
        (Scalar::Xor, U32) => Fast::Xor,
        (Scalar::Shl, U32) => Fast::Shl,
        (Scalar::Shr, U32) => Fast::ShrU,
        (Scalar::Shr, S32) => Fast::ShrS,
        (Scalar::Add, F32) => Fast::FAdd,
        (Scalar::Sub, F32) => Fast::FSub,
        (Scalar::MulLow, F32) => Fast::FMul,
        (Scalar::Div, F32) => Fast::FDiv,
        (Scalar::Min, F32) => Fast::FMin,
        (Scalar::Max, F32) => Fast::FMax,
        (Scalar::Neg, F32) => Fast::FNeg,
        (Scalar::Abs, F32) => Fast::FAbs,
        _ => return None,
    })
}

fn double(what: Scalar, ty: Type) -> Option<Fast64> {
    use Type::{F64, S64, U64};
    Some(match (what, ty) {
        (Scalar::Add, U64 | S64) => Fast64::Add,
        (Scalar::Sub, U64 | S64) => Fast64::Sub,
        (Scalar::MulLow, U64 | S64) => Fast64::Mul,
        (Scalar::And, U64) => Fast64::And,
        (Scalar::Or, U64) => Fast64::Or,
        (Scalar::Add, F64) => Fast64::FAdd,
        (Scalar::Sub, F64) => Fast64::FSub,
        (Scalar::MulLow, F64) => Fast64::FMul,
        _ => return None,
    })
}
