//! Loads, stores, atomic operations, address conversions.

use super::super::operation::{Address, Atomic, Op, Place, Scalar, Slot};

use super::super::tree::{Operand, Space};
use super::super::types::Type;
use super::{Decoder, LOCAL_WINDOW, SHARED_WINDOW, expected, last_type, refused};
use crate::error::Result;

impl Decoder<'_> {
    pub(super) fn memory(&mut self, parts: &[&str], operands: &[Operand]) -> Result<Op> {
        if parts[0] == "cvta" {
            return self.convert_address(parts, operands);
        }
        let ty = last_type(parts)?;
        let space = space(parts);
        match (parts[0], operands) {
            ("ld" | "ldu", [to, from]) => {
                let (to, count) = self.registers(to, ty)?;
                let at = self.address(from, space)?;
                Ok(Op::Load { ty, at, to, count })
            }
            ("st", [to, from]) => {
                let (from, count) = self.registers(from, ty)?;
                let at = self.address(to, space)?;
                Ok(Op::Store {
                    ty,
                    at,
                    from,
                    count,
                })
            }
            ("atom", [to, at, a, rest @ ..]) => {
                let to = self.value(to, ty.bytes())?;
                self.atomic(parts, ty, Some(to), at, (a, rest))
            }
            ("red", [at, a]) => self.atomic(parts, ty, None, at, (a, &[])),
            _ => Err(refused("number of operands")),
        }
    }

    fn atomic(
        &mut self,
        parts: &[&str],
        ty: Type,
        to: Option<Place>,
        at: &Operand,
        (a, rest): (&Operand, &[Operand]),
    ) -> Result<Op> {
        const NAMES: [(&str, Atomic); 8] = [
            ("add", Atomic::Add),
            ("min", Atomic::Min),
            ("max", Atomic::Max),
            ("and", Atomic::And),
            ("or", Atomic::Or),
            ("xor", Atomic::Xor),
            ("exch", Atomic::Exchange),
            ("cas", Atomic::CompareExchange),
        ];
        let named = NAMES.iter().find(|(name, _)| parts.contains(name));
        let (_, what) = named.ok_or_else(|| refused("atomic operation"))?;
        let a = self.value(a, ty.bytes())?;
        let b = match rest {
            [b] => self.value(b, ty.bytes())?,
            _ => a,
        };
        let at = self.address(at, space(parts))?;
        let (what, from) = (*what, [a, b]);
        Ok(Op::Atomic {
            what,
            ty,
            at,
            to,
            from,
        })
    }

    /// One register, or up to four in braces; unused places repeat the first.
    fn registers(&mut self, operand: &Operand, ty: Type) -> Result<([Place; 4], u8)> {
        let parts = match operand {
            Operand::Vector(parts) => &parts[..],
            one => std::slice::from_ref(one),
        };
        if !matches!(parts.len(), 1 | 2 | 4) {
            return Err(refused("number of registers"));
        }
        let mut places = [self.value(&parts[0], ty.bytes())?; 4];
        for (place, part) in places.iter_mut().zip(parts) {
            *place = self.value(part, ty.bytes())?;
        }
        Ok((places, parts.len() as u8))
    }

    fn address(&mut self, operand: &Operand, space: Space) -> Result<Address> {
        let Operand::Address(base, offset) = operand else {
            return Err(refused("operand"));
        };
        let offset = *offset as u64;
        if let Some((_, start)) = self.symbols.get(base) {
            return Ok(Address {
                space,
                base: None,
                offset: start.wrapping_add(offset),
            });
        }
        if self.register_bytes(base).is_none() {
            return Err(expected("a register or symbol", base));
        }
        let base = Some(self.value(&Operand::Word(base.clone()), 8)?);
        Ok(Address {
            space,
            base,
            offset,
        })
    }

    /// `cvta.shared` adds the start of a window, `cvta.to.shared` takes it off.
    fn convert_address(&mut self, parts: &[&str], operands: &[Operand]) -> Result<Op> {
        let [to, from] = operands else {
            return Err(refused("number of operands"));
        };
        let window = match space(parts) {
            Space::Shared => SHARED_WINDOW,
            Space::Local => LOCAL_WINDOW,
            Space::Global => 0,
            Space::Param | Space::Generic => return Err(refused("space")),
        };
        let to = self.double(to)?;
        // Of 64 bits even where the symbol stands for a 32-bit one.
        let from: Slot = self.double(from)?;
        if window == 0 {
            return Ok(Op::Move64(to, from));
        }
        let what = if parts.contains(&"to") {
            Scalar::Sub
        } else {
            Scalar::Add
        };
        let window = Place::Double(self.slots.double(window));
        Ok(Op::Scalar {
            what,
            ty: Type::U64,
            mode: super::super::types::Mode::default(),
            to: Place::Double(to),
            from: [Place::Double(from), window, window],
        })
    }
}

fn space(parts: &[&str]) -> Space {
    parts
        .iter()
        .find_map(|part| {
            Some(match part.split("::").next()? {
                "global" | "const" => Space::Global,
                "shared" => Space::Shared,
                "local" => Space::Local,
                "param" => Space::Param,
                _ => return None,
            })
        })
        .unwrap_or(Space::Generic)
}
