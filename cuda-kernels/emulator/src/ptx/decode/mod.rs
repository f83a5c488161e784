//! From a parsed kernel to operations.

mod arithmetic;
mod fast;
mod memory;
mod warp;

use std::collections::HashMap;

use super::operation::{Op, Place, Predicate, Slot, Special, Step};

use super::parse::{bits, width};
use super::slots::{Class, Slots};
use super::tree::{Instruction, Kernel, Operand, Space, Variable};
use super::types::Type;
use crate::error::{Code, Fault, Result};

/// Generic addresses of shared memory begin here.
pub const SHARED_WINDOW: u64 = 1 << 32;
/// Generic addresses of a thread's own memory begin here.
pub const LOCAL_WINDOW: u64 = 2 << 32;

/// A kernel ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// What it does.
    pub steps: Vec<Step>,
    /// Its registers and constants.
    pub slots: Slots,
    /// Place of every argument among the arguments' bytes.
    pub params: Vec<Argument>,
    /// Bytes of all arguments.
    pub param_bytes: u64,
    /// Offsets of arguments' bytes that are used as addresses of device memory.
    pub pointers: Vec<u64>,
    /// Bytes of shared memory that the kernel declares.
    pub shared: u64,
    /// Bytes of a thread's own memory.
    pub local: u64,
    /// Most threads of a block by `__launch_bounds__`.
    pub max_threads: Option<u32>,
}

/// An argument's place among the arguments' bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// A symbol: its space and its address there.
pub type Symbols = HashMap<String, (Space, u64)>;

/// Turns a kernel into a program. `module` gives the symbols outside it and how many bytes of
/// shared memory they take.
///
/// # Errors
///
/// An instruction that is not emulated, by line.
pub fn decode(kernel: &Kernel, module: &Symbols, module_shared: u64) -> Result<Program> {
    let mut symbols = module.clone();
    let (params, param_bytes) = lay_out_params(kernel, &mut symbols);
    let mut shared = module_shared;
    let mut local = 0;
    for variable in &kernel.variables {
        let end = if variable.space == Space::Shared {
            &mut shared
        } else {
            &mut local
        };
        place(variable, end, &mut symbols);
    }
    // Where shared memory sized by the launch begins.
    let dynamic = shared.next_multiple_of(16);
    for (space, address) in symbols.values_mut() {
        if *space == Space::Shared && *address == DYNAMIC {
            *address = dynamic;
        }
    }
    let mut decoder = Decoder {
        kernel,
        symbols,
        slots: Slots::default(),
    };
    let steps = kernel
        .body
        .iter()
        .map(|instruction| decoder.step(instruction));
    let mut steps = steps.collect::<Result<Vec<_>>>()?;
    // A body may end behind a label.
    let line = steps.last().map_or(0, |step| step.line);
    steps.push(Step {
        guard: None,
        op: Op::Exit,
        line,
    });
    Ok(Program {
        name: kernel.name.clone(),
        steps,
        pointers: pointers(kernel, &decoder.symbols),
        slots: decoder.slots,
        params,
        param_bytes,
        shared: dynamic,
        local: local.next_multiple_of(16),
        max_threads: kernel.max_threads,
    })
}

/// Address of shared memory sized by the launch, until its place is known.
pub const DYNAMIC: u64 = u64::MAX;

/// Gives `variable` the next aligned address behind `end`.
pub fn place(variable: &Variable, end: &mut u64, symbols: &mut Symbols) {
    let address = if variable.size == 0 {
        DYNAMIC
    } else {
        let address = end.next_multiple_of(variable.align);
        *end = address + variable.size;
        address
    };
    symbols.insert(variable.name.clone(), (variable.space, address));
}

fn lay_out_params(kernel: &Kernel, symbols: &mut Symbols) -> (Vec<Argument>, u64) {
    let mut end = 0;
    let mut params = Vec::new();
    for variable in &kernel.params {
        place(variable, &mut end, symbols);
        params.push(Argument {
            offset: end - variable.size,
            size: variable.size,
        });
    }
    (params, end)
}

/// Offsets of 8-byte arguments that become global addresses.
fn pointers(kernel: &Kernel, symbols: &Symbols) -> Vec<u64> {
    let mut loaded: HashMap<&str, u64> = HashMap::new();
    let mut pointers = Vec::new();
    for instruction in &kernel.body {
        let opcode: Vec<_> = instruction.opcode.iter().map(String::as_str).collect();
        match (&opcode[..], &instruction.operands[..]) {
            (
                ["ld", "param", "u64" | "b64"],
                [Operand::Word(to), Operand::Address(base, offset)],
            ) => {
                if let Some((Space::Param, start)) = symbols.get(base) {
                    loaded.insert(to, start.wrapping_add_signed(*offset));
                }
            }
            (["cvta", "to", "global", _], [_, Operand::Word(from)]) => {
                pointers.extend(loaded.get(from.as_str()));
            }
            _ => {}
        }
    }
    pointers.sort_unstable();
    pointers.dedup();
    pointers
}

struct Decoder<'a> {
    kernel: &'a Kernel,
    symbols: Symbols,
    slots: Slots,
}

impl Decoder<'_> {
    fn step(&mut self, instruction: &Instruction) -> Result<Step> {
        let line = instruction.line;
        let op = self.op(instruction).map_err(|fault| {
            let opcode = instruction.opcode.join(".");
            let name = &self.kernel.name;
            fault.at(format!("kernel {name}, PTX line {line}: {opcode}"))
        })?;
        let guard = match &instruction.guard {
            Some((name, negated)) => Some(Predicate {
                slot: self.predicate_slot(name)?,
                negated: *negated,
            }),
            None => None,
        };
        Ok(Step { guard, op, line })
    }

    fn op(&mut self, instruction: &Instruction) -> Result<Op> {
        let parts: Vec<_> = instruction.opcode.iter().map(String::as_str).collect();
        let operands = &instruction.operands[..];
        match parts[0] {
            "ld" | "ldu" | "st" | "atom" | "red" | "cvta" => self.memory(&parts, operands),
            "bra" | "ret" | "exit" | "trap" | "brkpt" | "bar" | "barrier" | "membar" | "fence"
            | "shfl" | "vote" | "mma" | "activemask" => self.warp(&parts, operands),
            _ => self.arithmetic(&parts, operands),
        }
    }

    /// Bytes of the register `name`, 1 for a predicate.
    fn register_bytes(&self, name: &str) -> Option<u64> {
        let family = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let ty = self.kernel.registers.get(name);
        let ty = ty.or_else(|| self.kernel.registers.get(family))?;
        width(ty)
    }

    fn predicate_slot(&mut self, name: &str) -> Result<Slot> {
        match self.register_bytes(name) {
            Some(1) => match self.slots.register(name, 1) {
                Class::Predicate(slot) => Ok(slot),
                Class::Number(_) => Err(expected("a predicate", name)),
            },
            _ => Err(expected("a predicate", name)),
        }
    }

    fn predicate(&mut self, operand: &Operand) -> Result<Predicate> {
        let (name, negated) = match operand {
            Operand::Word(name) => (name, false),
            Operand::Not(name) => (name, true),
            _ => return Err(refused("operand")),
        };
        let slot = match name.as_str() {
            "0" | "false" => self.slots.truth(false),
            "1" | "-1" | "true" => self.slots.truth(true),
            _ => self.predicate_slot(name)?,
        };
        Ok(Predicate { slot, negated })
    }

    /// A register, constant or symbol of `bytes` bytes.
    fn value(&mut self, operand: &Operand, bytes: u64) -> Result<Place> {
        let Operand::Word(word) = operand else {
            return Err(refused("operand"));
        };
        if let Some(special) = special(word) {
            return Ok(Place::Single(self.slots.special(special)));
        }
        if let Some(own) = self.register_bytes(word) {
            return match self.slots.register(word, own) {
                Class::Number(place) => Ok(place),
                Class::Predicate(_) => Err(expected("a number", word)),
            };
        }
        let value = match self.symbols.get(word) {
            Some((_, address)) => *address,
            None => bits(word, bytes).ok_or_else(|| expected("a register or number", word))?,
        };
        Ok(if bytes == 8 {
            Place::Double(self.slots.double(value))
        } else {
            Place::Single(self.slots.single(value as u32))
        })
    }

    fn single(&mut self, operand: &Operand) -> Result<Slot> {
        match self.value(operand, 4)? {
            Place::Single(slot) => Ok(slot),
            Place::Double(_) => Err(refused("64-bit register")),
        }
    }

    fn double(&mut self, operand: &Operand) -> Result<Slot> {
        match self.value(operand, 8)? {
            Place::Double(slot) => Ok(slot),
            Place::Single(_) => Err(refused("32-bit register")),
        }
    }

    /// `N` registers in braces.
    fn singles<const N: usize>(&mut self, operand: &Operand) -> Result<[Slot; N]> {
        let Operand::Vector(parts) = operand else {
            return Err(refused("operand"));
        };
        if parts.len() != N {
            return Err(refused("number of registers"));
        }
        let mut slots = [0; N];
        for (slot, part) in slots.iter_mut().zip(parts) {
            *slot = self.single(part)?;
        }
        Ok(slots)
    }
}

fn special(word: &str) -> Option<Special> {
    let axis = |name: &str| match word.strip_prefix(name)? {
        ".x" => Some(0),
        ".y" => Some(1),
        ".z" => Some(2),
        _ => None,
    };
    match word {
        "%laneid" => return Some(Special::Lane),
        "%warpid" => return Some(Special::Warp),
        _ => {}
    }
    let tid = axis("%tid").map(Special::Tid);
    let ntid = || axis("%ntid").map(Special::Ntid);
    let ctaid = || axis("%ctaid").map(Special::Ctaid);
    let nctaid = || axis("%nctaid").map(Special::Nctaid);
    tid.or_else(ntid).or_else(ctaid).or_else(nctaid)
}

/// Something that the emulator does not know.
fn refused(what: &str) -> Fault {
    Fault::new(Code::INVALID_PTX, format!("{what} is not emulated"))
}

fn expected(what: &str, got: &str) -> Fault {
    Fault::new(Code::INVALID_PTX, format!("got {got}, expected {what}"))
}

/// The type at the end of an opcode.
fn last_type(parts: &[&str]) -> Result<Type> {
    let last = parts.last().copied().unwrap_or_default();
    Type::named(last).ok_or_else(|| refused("type"))
}
