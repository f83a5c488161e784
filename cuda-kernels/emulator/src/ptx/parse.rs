//! From text to a tree.

use super::token::{Token, split};
use super::tree::{Instruction, Kernel, Module, Operand, Space, Variable};
use crate::error::{Code, Fault, Result};

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

/// Parses a module.
///
/// # Errors
///
/// Names the line and what was expected there.
pub fn parse(text: &str) -> Result<Module> {
    let mut parser = Parser {
        tokens: split(text)?,
        at: 0,
    };
    let mut module = Module::default();
    while let Some(token) = parser.peek() {
        match token {
            ".version" | ".target" | ".address_size" => parser.skip_directive(),
            ".visible" | ".weak" | ".extern" => parser.at += 1,
            ".entry" => {
                parser.at += 1;
                module.kernels.push(parser.kernel()?);
            }
            ".global" | ".const" | ".shared" => module.variables.push(parser.variable()?),
            _ => return Err(parser.unexpected("a variable or .entry (functions are not emulated)")),
        }
    }
    Ok(module)
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).map(|token| token.text)
    }

    fn next(&mut self) -> Result<&'a str> {
        let text = self.peek().ok_or_else(|| self.unexpected("more text"))?;
        self.at += 1;
        Ok(text)
    }

    fn line(&self) -> u32 {
        let last = self.tokens.last();
        self.tokens.get(self.at).or(last).map_or(0, |t| t.line)
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let got = self.peek().unwrap_or("the end");
        let line = self.line();
        Fault::new(
            Code::INVALID_PTX,
            format!("PTX line {line}: got {got}, expected {expected}"),
        )
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.peek() == Some(text);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        if self.accept(text) {
            return Ok(());
        }
        Err(self.unexpected(text))
    }

    /// Everything on the line of the directive.
    fn skip_directive(&mut self) {
        let line = self.line();
        while self.at < self.tokens.len() && self.line() == line {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<i64> {
        let negative = self.accept("-");
        let word = self.next()?;
        let value = integer(word);
        let Some(value) = value else {
            self.at -= 1;
            return Err(self.unexpected("a whole number"));
        };
        Ok(if negative {
            value.wrapping_neg()
        } else {
            value
        })
    }

    /// `.global .align 4 .b8 name[16] = {…};`, also of other spaces; the semicolon is taken along.
    fn variable(&mut self) -> Result<Variable> {
        let variable = self.declaration()?;
        self.expect(";")?;
        Ok(variable)
    }

    fn declaration(&mut self) -> Result<Variable> {
        let space = match self.next()? {
            ".global" | ".const" => Space::Global,
            ".shared" => Space::Shared,
            ".local" => Space::Local,
            ".param" => Space::Param,
            _ => {
                self.at -= 1;
                return Err(self.unexpected("a state space"));
            }
        };
        let mut align = None;
        let mut lanes = 1;
        let mut element = None;
        while let Some(word) = self.peek().filter(|word| word.starts_with('.')) {
            self.at += 1;
            match word {
                ".align" => align = Some(self.number()? as u64),
                ".v2" => lanes = 2,
                ".v4" => lanes = 4,
                ".ptr" | ".global" | ".shared" => {}
                _ => element = Some(width(&word[1..]).ok_or_else(|| self.unexpected("a type"))?),
            }
        }
        let element = element.ok_or_else(|| self.unexpected("a type"))? * lanes;
        let name = self.next()?.to_owned();
        let mut size = element;
        while self.accept("[") {
            size *= if self.peek() == Some("]") {
                0
            } else {
                self.number()? as u64
            };
            self.expect("]")?;
        }
        let value = if self.accept("=") {
            self.initial(element)?
        } else {
            Vec::new()
        };
        Ok(Variable {
            name,
            space,
            size,
            align: align.unwrap_or(element),
            value,
        })
    }

    /// A number, or numbers in braces, of `element` bytes each.
    fn initial(&mut self, element: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut depth = 0;
        loop {
            if self.accept("{") {
                depth += 1;
            } else if self.accept("}") {
                depth -= 1;
            } else if !self.accept(",") {
                let negative = self.accept("-");
                let word = self.next()?;
                let bits = bits(word, element);
                let bits = bits.ok_or_else(|| self.unexpected("numbers (not addresses)"))?;
                let bits = if negative { bits.wrapping_neg() } else { bits };
                bytes.extend_from_slice(&bits.to_le_bytes()[..element as usize]);
            }
            if depth == 0 {
                return Ok(bytes);
            }
        }
    }

    fn kernel(&mut self) -> Result<Kernel> {
        let mut kernel = Kernel {
            name: self.next()?.to_owned(),
            ..Kernel::default()
        };
        if self.accept("(") {
            while !self.accept(")") {
                kernel.params.push(self.declaration()?);
                self.accept(",");
            }
        }
        while self.peek() != Some("{") {
            if self.accept(".maxntid") {
                let mut threads = self.number()?;
                while self.accept(",") {
                    threads *= self.number()?;
                }
                kernel.max_threads = Some(threads as u32);
            } else {
                // .minnctapersm and the like: promises to ptxas.
                self.skip_directive();
            }
        }
        self.body(&mut kernel)?;
        Ok(kernel)
    }

    fn body(&mut self, kernel: &mut Kernel) -> Result<()> {
        let mut depth = 0;
        loop {
            match self.peek() {
                Some("{") => (depth, self.at) = (depth + 1, self.at + 1),
                Some("}") => {
                    (depth, self.at) = (depth - 1, self.at + 1);
                    if depth == 0 {
                        return Ok(());
                    }
                }
                Some(".reg") => self.registers(kernel)?,
                Some(".shared" | ".local") => {
                    let variable = self.variable()?;
                    kernel.variables.push(variable);
                }
                Some(".pragma" | ".loc" | ".file") => self.skip_directive(),
                Some(_) if self.tokens.get(self.at + 1).is_some_and(|t| t.text == ":") => {
                    let label = self.next()?.to_owned();
                    self.at += 1;
                    kernel.labels.insert(label, kernel.body.len());
                }
                _ => {
                    let instruction = self.instruction()?;
                    kernel.body.push(instruction);
                }
            }
        }
    }

    /// `.reg .b32 %r<83>;` or `.reg .pred p, q;`
    fn registers(&mut self, kernel: &mut Kernel) -> Result<()> {
        self.expect(".reg")?;
        let ty = self.next()?.trim_start_matches('.').to_owned();
        loop {
            let name = self.next()?.to_owned();
            if self.accept("<") {
                self.number()?;
                self.expect(">")?;
            }
            kernel.registers.insert(name, ty.clone());
            if !self.accept(",") {
                return self.expect(";");
            }
        }
    }

    fn instruction(&mut self) -> Result<Instruction> {
        let line = self.line();
        let mut guard = None;
        if self.accept("@") {
            let negated = self.accept("!");
            guard = Some((self.next()?.to_owned(), negated));
        }
        let opcode = self.next()?.split('.').map(str::to_owned).collect();
        let mut operands = Vec::new();
        while !self.accept(";") {
            operands.push(self.operand()?);
            if self.peek() != Some(";") {
                self.expect(",")?;
            }
        }
        Ok(Instruction {
            line,
            guard,
            opcode,
            operands,
        })
    }

    fn operand(&mut self) -> Result<Operand> {
        if self.accept("{") {
            let mut parts = Vec::new();
            while !self.accept("}") {
                parts.push(self.operand()?);
                self.accept(",");
            }
            return Ok(Operand::Vector(parts));
        }
        if self.accept("[") {
            let base = self.next()?.to_owned();
            let offset = match self.peek() {
                Some("+") => {
                    self.at += 1;
                    self.number()?
                }
                Some("-") => self.number()?,
                _ => 0,
            };
            self.expect("]")?;
            return Ok(Operand::Address(base, offset));
        }
        if self.accept("!") {
            return Ok(Operand::Not(self.next()?.to_owned()));
        }
        if self.accept("-") {
            return Ok(Operand::Word(format!("-{}", self.next()?)));
        }
        let word = self.next()?.to_owned();
        if self.accept("|") {
            return Ok(Operand::Pair(word, self.next()?.to_owned()));
        }
        Ok(Operand::Word(word))
    }
}

/// Bytes of a type, such as `f32`.
pub fn width(ty: &str) -> Option<u64> {
    match ty {
        "pred" => Some(1),
        _ => {
            let bits: u64 = ty.get(1..)?.parse().ok()?;
            matches!(bits, 8 | 16 | 32 | 64).then_some(bits / 8)
        }
    }
}

/// A whole number, decimal or hexadecimal, perhaps with the `U` of unsigned ones.
pub fn integer(word: &str) -> Option<i64> {
    let (negative, digits) = word.strip_prefix('-').map_or((false, word), |d| (true, d));
    let digits = digits.strip_suffix('U').unwrap_or(digits);
    let value = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    } as i64;
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// Bits of a number in a register of `bytes` bytes: whole, `0f` and 8 digits, or `0d` and 16.
pub fn bits(word: &str, bytes: u64) -> Option<u64> {
    if let Some(hex) = word.strip_prefix("0f").or(word.strip_prefix("0F")) {
        let single = u32::from_str_radix(hex, 16).ok()?;
        return Some(match bytes {
            8 => f64::from(f32::from_bits(single)).to_bits(),
            _ => u64::from(single),
        });
    }
    if let Some(hex) = word.strip_prefix("0d").or(word.strip_prefix("0D")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    let mask = if bytes == 8 {
        u64::MAX
    } else {
        (1 << (8 * bytes)) - 1
    };
    integer(word).map(|value| value as u64 & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_has_parameters_registers_and_labels() {
        let text = ".version 9.5\n.target sm_80\n.address_size 64\n\
            .const .align 4 .b8 table[8] = {1, 2, 255};\n\
            .visible .entry k(\n.param .u64 k_param_0,\n.param .align 4 .b8 k_param_1[12]\n)\n\
            .maxntid 128, 1, 1\n{\n.reg .pred %p<2>;\n.reg .b32 %r<3>;\n\
            .shared .align 4 .b8 tile[1024];\n\
            @!%p1 bra $L__BB0_1;\nld.shared.v2.f32 {%f1, %f2}, [%r1+-4];\n\
            $L__BB0_1:\nshfl.sync.bfly.b32 %r1|%p1, %r2, 16, 31, -1;\nret;\n}";
        let module = parse(text).unwrap();
        assert_eq!(module.variables[0].value, [1, 2, 255]);
        assert_eq!(module.variables[0].size, 8);
        let kernel = &module.kernels[0];
        assert_eq!(kernel.max_threads, Some(128));
        assert_eq!((kernel.params[0].size, kernel.params[1].size), (8, 12));
        assert_eq!(kernel.labels["$L__BB0_1"], 2);
        let address = Operand::Address("%r1".to_owned(), -4);
        assert_eq!(kernel.body[1].operands[1], address);
        assert_eq!(kernel.body[0].guard, Some(("%p1".to_owned(), true)));
    }

    #[test]
    fn errors_name_the_line() {
        let error = parse(".version 9.5\n.func x;\n").unwrap_err();
        assert!(error.text.contains("line 2"), "{}", error.text);
    }
}
