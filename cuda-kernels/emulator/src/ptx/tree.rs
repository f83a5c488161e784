//! A module as a tree: variables, kernels, their instructions.

use std::collections::HashMap;

/// A module of PTX.
#[derive(Debug, Default)]
pub struct Module {
    /// `.global`, `.const` and module-wide `.shared` variables.
    pub variables: Vec<Variable>,
    /// Entries.
    pub kernels: Vec<Kernel>,
}

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Device memory; constants live there too.
    Global,
    /// A block's shared memory.
    Shared,
    /// A thread's own memory.
    Local,
    /// A launch's arguments.
    Param,
    /// Any of global, shared and local, told apart by address.
    Generic,
}

/// A variable or a parameter.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub space: Space,
    /// Bytes; 0 for shared memory sized by the launch.
    pub size: u64,
    /// Its address is a multiple of this, in bytes.
    pub align: u64,
    /// First bytes; zero follows.
    pub value: Vec<u8>,
}

/// An entry.
#[derive(Debug, Default)]
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Arguments in order.
    pub params: Vec<Variable>,
    /// Most threads of a block, where `__launch_bounds__` says so.
    pub max_threads: Option<u32>,
    /// `.shared` and `.local` variables.
    pub variables: Vec<Variable>,
    /// Type of every register, without its dot, by name without its number: `%rd` → `b64`.
    pub registers: HashMap<String, String>,
    /// Labels, by the index of the instruction behind them.
    pub labels: HashMap<String, usize>,
    /// The body.
    pub body: Vec<Instruction>,
}

/// One line of a body.
#[derive(Debug)]
pub struct Instruction {
    /// Line of the PTX, from 1.
    pub line: u32,
    /// Predicate register that must hold, and whether it is negated.
    pub guard: Option<(String, bool)>,
    /// Such as `ld.global.f32`, split at the dots.
    pub opcode: Vec<String>,
    /// Destination first.
    pub operands: Vec<Operand>,
}

/// An operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Register, symbol or number.
    Word(String),
    /// Register or symbol, and bytes to add.
    Address(String, i64),
    /// Several registers as one.
    Vector(Vec<Operand>),
    /// Two destinations, `%r1|%p1`.
    Pair(String, String),
    /// `!%p1`.
    Not(String),
}
