//! Arithmetic, logic, comparisons, moves, conversions.

use super::super::operation::{Compare, Join, Op, Place, Predicate, Scalar};

use super::super::tree::Operand;
use super::super::types::{Mode, Round, Type};
use super::{Decoder, last_type, refused};
use crate::error::Result;

impl Decoder<'_> {
    pub(super) fn arithmetic(&mut self, parts: &[&str], operands: &[Operand]) -> Result<Op> {
        match (parts[0], operands) {
            ("mov", [to, from]) => self.mov(parts, to, from),
            ("cvt", [to, from]) => self.convert(parts, to, from),
            ("setp", [to, a, b, rest @ ..]) => self.compare(parts, to, [a, b], rest),
            ("selp", [to, a, b, p]) => self.select(parts, to, [a, b], p),
            ("and" | "or" | "xor" | "not", [to, rest @ ..]) if parts.last() == Some(&"pred") => {
                self.logic(parts[0], to, rest)
            }
            ("lop3", [to, a, b, c, Operand::Word(table)]) => {
                let table = super::super::parse::integer(table);
                let table = table.ok_or_else(|| refused("table"))? as u8;
                self.scalar(
                    Scalar::Lop3(table),
                    Type::U32,
                    Mode::default(),
                    to,
                    &[a, b, c],
                )
            }
            (_, [to, from @ ..]) => {
                let from: Vec<_> = from.iter().collect();
                self.plain(parts, to, &from)
            }
            _ => Err(refused("instruction")),
        }
    }

    fn plain(&mut self, parts: &[&str], to: &Operand, from: &[&Operand]) -> Result<Op> {
        let ty = last_type(parts)?;
        let mode = mode(parts)?;
        let what = named(parts, ty).ok_or_else(|| refused("instruction"))?;
        if mode == Mode::default()
            && let Some(op) = self.fast(what, ty, to, from)?
        {
            return Ok(op);
        }
        self.scalar(what, ty, mode, to, from)
    }

    fn scalar(
        &mut self,
        what: Scalar,
        ty: Type,
        mode: Mode,
        to: &Operand,
        from: &[&Operand],
    ) -> Result<Op> {
        let to_bytes = match what {
            Scalar::MulWide | Scalar::MadWide => ty.wide().bytes(),
            Scalar::Popc | Scalar::Clz | Scalar::Bfind => 4,
            _ => ty.bytes(),
        };
        let to = self.value(to, to_bytes)?;
        let mut places = [to; 3];
        for (index, (place, operand)) in places.iter_mut().zip(from).enumerate() {
            let bytes = match (what, index) {
                (Scalar::MadWide, 2) => ty.wide().bytes(),
                (Scalar::Shl | Scalar::Shr, 1) | (Scalar::Bfe, 1..) => 4,
                _ => ty.bytes(),
            };
            *place = self.value(operand, bytes)?;
        }
        if from.len() > 3 {
            return self.bit_field_insert(to, from);
        }
        Ok(Op::Scalar {
            what,
            ty,
            mode,
            to,
            from: places,
        })
    }

    /// Its place and width are constants wherever a compiler writes it: one operand of both.
    fn bit_field_insert(&mut self, to: Place, from: &[&Operand]) -> Result<Op> {
        let constant = |operand: &Operand| match operand {
            Operand::Word(word) => super::super::parse::integer(word),
            _ => None,
        };
        let [a, b, start, len] = from else {
            return Err(refused("number of operands"));
        };
        let (Some(start), Some(len)) = (constant(start), constant(len)) else {
            return Err(refused("bfi with a variable place"));
        };
        let field = self
            .slots
            .single(((start as u32 & 0xff) << 8) | (len as u32 & 0xff));
        let from = [self.value(a, 4)?, self.value(b, 4)?, Place::Single(field)];
        Ok(Op::Scalar {
            what: Scalar::Bfi,
            ty: Type::U32,
            mode: Mode::default(),
            to,
            from,
        })
    }

    fn mov(&mut self, parts: &[&str], to: &Operand, from: &Operand) -> Result<Op> {
        if parts.last() == Some(&"pred") {
            let p = self.predicate(from)?;
            return Ok(Op::Logic(Join::And, self.predicate(to)?.slot, [p, p]));
        }
        let bytes = last_type(parts)?.bytes();
        match (to, from, bytes) {
            (Operand::Vector(_), from, 8) => Ok(Op::Unpack(self.singles(to)?, self.double(from)?)),
            (to, Operand::Vector(_), 8) => Ok(Op::Pack(self.double(to)?, self.singles(from)?)),
            (_, _, 8) => Ok(Op::Move64(self.double(to)?, self.double(from)?)),
            _ => Ok(Op::Move32(self.single(to)?, self.single(from)?)),
        }
    }

    fn convert(&mut self, parts: &[&str], to: &Operand, from: &Operand) -> Result<Op> {
        if parts[1..] == ["rna", "tf32", "f32"] {
            return Ok(Op::ToTf32(self.single(to)?, self.single(from)?));
        }
        let [.., to_type, from_type] = parts else {
            return Err(refused("form"));
        };
        let named = |name| Type::named(name).ok_or_else(|| refused("type"));
        let (to_type, from_type) = (named(to_type)?, named(from_type)?);
        match (to_type, from_type) {
            (Type::U64 | Type::S64, Type::U32 | Type::S32) => {
                let (to, from) = (self.double(to)?, self.single(from)?);
                let signed = from_type == Type::S32;
                return Ok(Op::Widen { signed, to, from });
            }
            (Type::U32 | Type::S32, Type::U64 | Type::S64) => {
                return Ok(Op::Narrow(self.single(to)?, self.double(from)?));
            }
            _ => {}
        }
        let whole = parts
            .iter()
            .any(|p| matches!(*p, "rni" | "rzi" | "rmi" | "rpi"));
        Ok(Op::Convert {
            to_type,
            from_type,
            mode: mode(parts)?,
            whole,
            to: self.value(to, to_type.bytes())?,
            from: self.value(from, from_type.bytes())?,
        })
    }

    fn compare(
        &mut self,
        parts: &[&str],
        to: &Operand,
        from: [&Operand; 2],
        rest: &[Operand],
    ) -> Result<Op> {
        let ty = last_type(parts)?;
        let how = comparison(parts[1]).ok_or_else(|| refused("comparison"))?;
        let (to, other) = match to {
            Operand::Pair(to, other) => {
                (self.predicate_slot(to)?, Some(self.predicate_slot(other)?))
            }
            to => (self.predicate(to)?.slot, None),
        };
        let join = match (rest, join(parts[2])) {
            ([], _) => None,
            ([p], Some(join)) => Some((join, self.predicate(p)?)),
            _ => return Err(refused("form")),
        };
        // `lo`, `ls`, `hi` and `hs` stand with unsigned types anyway.
        let from = [
            self.value(from[0], ty.bytes())?,
            self.value(from[1], ty.bytes())?,
        ];
        Ok(Op::Compare {
            how,
            ty,
            flush: parts.contains(&"ftz"),
            to,
            other,
            from,
            join,
        })
    }

    fn select(
        &mut self,
        parts: &[&str],
        to: &Operand,
        from: [&Operand; 2],
        p: &Operand,
    ) -> Result<Op> {
        let p = self.predicate(p)?.slot;
        if last_type(parts)?.bytes() == 8 {
            let from = [self.double(from[0])?, self.double(from[1])?];
            return Ok(Op::Select64(self.double(to)?, from, p));
        }
        let from = [self.single(from[0])?, self.single(from[1])?];
        Ok(Op::Select32(self.single(to)?, from, p))
    }

    fn logic(&mut self, name: &str, to: &Operand, from: &[Operand]) -> Result<Op> {
        let to = self.predicate(to)?.slot;
        match (from, join(name)) {
            ([a, b], Some(join)) => {
                let from = [self.predicate(a)?, self.predicate(b)?];
                Ok(Op::Logic(join, to, from))
            }
            ([a], None) => {
                let Predicate { slot, negated } = self.predicate(a)?;
                let a = Predicate {
                    slot,
                    negated: !negated,
                };
                Ok(Op::Logic(Join::And, to, [a, a]))
            }
            _ => Err(refused("form")),
        }
    }
}

fn join(name: &str) -> Option<Join> {
    match name {
        "and" => Some(Join::And),
        "or" => Some(Join::Or),
        "xor" => Some(Join::Xor),
        _ => None,
    }
}

fn comparison(name: &str) -> Option<Compare> {
    Some(match name {
        "eq" => Compare::Eq,
        "ne" => Compare::Ne,
        "lt" | "lo" => Compare::Lt,
        "le" | "ls" => Compare::Le,
        "gt" | "hi" => Compare::Gt,
        "ge" | "hs" => Compare::Ge,
        "equ" => Compare::Equ,
        "neu" => Compare::Neu,
        "ltu" => Compare::Ltu,
        "leu" => Compare::Leu,
        "gtu" => Compare::Gtu,
        "geu" => Compare::Geu,
        "num" => Compare::Num,
        "nan" => Compare::Nan,
        _ => return None,
    })
}

/// Rounding and the like, out of what stands between an opcode and its type.
fn mode(parts: &[&str]) -> Result<Mode> {
    let mut mode = Mode::default();
    for part in &parts[1..] {
        match *part {
            "rn" | "rni" => mode.round = Round::Nearest,
            "rz" | "rzi" => mode.round = Round::Zero,
            "rm" | "rmi" => mode.round = Round::Down,
            "rp" | "rpi" => mode.round = Round::Up,
            "ftz" => mode.flush = true,
            "sat" => mode.saturate = true,
            "lo" | "hi" | "wide" | "approx" | "full" | "l" | "r" | "wrap" | "clamp" => {}
            other if Type::named(other).is_some() => {}
            _ => return Err(refused("modifier")),
        }
    }
    Ok(mode)
}

fn named(parts: &[&str], ty: Type) -> Option<Scalar> {
    let has = |part| parts.contains(&part);
    Some(match parts[0] {
        "add" => Scalar::Add,
        "sub" => Scalar::Sub,
        "mul" if has("wide") => Scalar::MulWide,
        "mul" if has("hi") => Scalar::MulHigh,
        "mul" => Scalar::MulLow,
        "mad" if ty.float() => Scalar::Fma,
        "mad" if has("wide") => Scalar::MadWide,
        "mad" if has("hi") => Scalar::MadHigh,
        "mad" => Scalar::MadLow,
        "fma" => Scalar::Fma,
        "div" => Scalar::Div,
        "rem" => Scalar::Rem,
        "min" => Scalar::Min,
        "max" => Scalar::Max,
        "abs" => Scalar::Abs,
        "neg" => Scalar::Neg,
        "not" => Scalar::Not,
        "and" => Scalar::And,
        "or" => Scalar::Or,
        "xor" => Scalar::Xor,
        "shl" => Scalar::Shl,
        "shr" => Scalar::Shr,
        "popc" => Scalar::Popc,
        "clz" => Scalar::Clz,
        "brev" => Scalar::Brev,
        "bfind" => Scalar::Bfind,
        "bfe" => Scalar::Bfe,
        "bfi" => Scalar::Bfi,
        "prmt" => Scalar::Prmt,
        "shf" => Scalar::Funnel {
            left: has("l"),
            clamp: has("clamp"),
        },
        "sad" => Scalar::Sad,
        "copysign" => Scalar::CopySign,
        "sqrt" => Scalar::Sqrt,
        "rcp" => Scalar::Rcp,
        "rsqrt" => Scalar::Rsqrt,
        "ex2" => Scalar::Ex2,
        "lg2" => Scalar::Lg2,
        "sin" => Scalar::Sin,
        "cos" => Scalar::Cos,
        "tanh" => Scalar::Tanh,
        _ => return None,
    })
}
