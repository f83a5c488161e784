//! Operations as the interpreter runs them: registers are slots, constants live in slots too.

use super::tree::Space;
use super::types::{Mode, Type};

/// Index into the 32-bit, the 64-bit or the predicate registers of a warp.
pub type Slot = u32;

/// A register of 32 bits (also of 8 and 16, zero above) or of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Slot of the 32-bit registers.
    Single(Slot),
    /// Slot of the 64-bit registers.
    Double(Slot),
}

/// Operations on 32 bits that run on all lanes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fast {
    Add,
    Sub,
    Mul,
    DivU,
    RemU,
    And,
    Or,
    Xor,
    Shl,
    ShrU,
    ShrS,
    FAdd,
    FSub,
    FMul,
    FDiv,
    FMin,
    FMax,
    /// Of the first operand.
    FNeg,
    FAbs,
}

/// The same on 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fast64 {
    Add,
    Sub,
    Mul,
    And,
    Or,
    FAdd,
    FSub,
    FMul,
}

/// Everything else that works lane by lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Scalar {
    Add,
    Sub,
    MulLow,
    MulHigh,
    MulWide,
    MadLow,
    MadHigh,
    MadWide,
    Div,
    Rem,
    Min,
    Max,
    Abs,
    Neg,
    Not,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Popc,
    Clz,
    Brev,
    Bfind,
    Bfe,
    Bfi,
    Prmt,
    Lop3(u8),
    /// Funnel shift to the left or right, by at most 32 or modulo 32.
    Funnel {
        left: bool,
        clamp: bool,
    },
    Sad,
    CopySign,
    Fma,
    Sqrt,
    Rcp,
    Rsqrt,
    Ex2,
    Lg2,
    Sin,
    Cos,
    Tanh,
}

/// Comparisons; of floats, those that end in `u` also hold where a NaN is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Equ,
    Neu,
    Ltu,
    Leu,
    Gtu,
    Geu,
    Num,
    Nan,
}

/// Joins two predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Join {
    And,
    Or,
    Xor,
}

/// A predicate register, perhaps negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Its slot.
    pub slot: Slot,
    /// Whether its negation counts.
    pub negated: bool,
}

/// Where a load, store or atomic operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// State space.
    pub space: Space,
    /// Register to start from, if any.
    pub base: Option<Place>,
    /// Bytes to add.
    pub offset: u64,
}

/// Which lane a shuffle reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shuffle {
    Up,
    Down,
    Butterfly,
    Index,
}

/// Questions to a warp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Vote {
    Any,
    All,
    Uniform,
    Ballot,
}

/// Atomic operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Atomic {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
    CompareExchange,
}

/// What an instruction does. Destinations come first.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Op {
    Fast(Fast, Slot, [Slot; 2]),
    Mad(Slot, [Slot; 3]),
    Fma(Slot, [Slot; 3]),
    Fast64(Fast64, Slot, [Slot; 2]),
    Fma64(Slot, [Slot; 3]),
    /// By a number of 32 bits.
    Shift64 {
        left: bool,
        to: Slot,
        from: [Slot; 2],
    },
    /// From 32 bits to 64.
    Widen {
        signed: bool,
        to: Slot,
        from: Slot,
    },
    /// From 64 bits to 32.
    Narrow(Slot, Slot),
    MulWide {
        signed: bool,
        to: Slot,
        from: [Slot; 2],
    },
    Move32(Slot, Slot),
    Move64(Slot, Slot),
    Select32(Slot, [Slot; 2], Slot),
    Select64(Slot, [Slot; 2], Slot),
    Scalar {
        what: Scalar,
        ty: Type,
        mode: Mode,
        to: Place,
        from: [Place; 3],
    },
    Compare {
        how: Compare,
        ty: Type,
        flush: bool,
        to: Slot,
        /// Gets the negation.
        other: Option<Slot>,
        from: [Place; 2],
        join: Option<(Join, Predicate)>,
    },
    /// Joins predicates.
    Logic(Join, Slot, [Predicate; 2]),
    Convert {
        to_type: Type,
        from_type: Type,
        mode: Mode,
        /// From float to a whole number, in float or integer.
        whole: bool,
        to: Place,
        from: Place,
    },
    /// To the 19 bits of tf32, ties away from zero.
    ToTf32(Slot, Slot),
    /// Two registers into one of twice the bits, low half first.
    Pack(Slot, [Slot; 2]),
    Unpack([Slot; 2], Slot),
    Load {
        ty: Type,
        at: Address,
        to: [Place; 4],
        count: u8,
    },
    Store {
        ty: Type,
        at: Address,
        from: [Place; 4],
        count: u8,
    },
    Atomic {
        what: Atomic,
        ty: Type,
        at: Address,
        to: Option<Place>,
        from: [Place; 2],
    },
    Shuffle {
        how: Shuffle,
        to: Slot,
        valid: Option<Slot>,
        value: Slot,
        lane: Slot,
        clamp: Slot,
        members: Slot,
    },
    Vote {
        how: Vote,
        /// A predicate, but of a ballot.
        to: Slot,
        of: Predicate,
        members: Slot,
    },
    /// `mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32`.
    Mma {
        d: [Slot; 4],
        a: [Slot; 4],
        b: [Slot; 2],
        c: [Slot; 4],
    },
    ActiveMask(Slot),
    Branch(u32),
    Exit,
    Trap,
    Barrier,
    WarpBarrier(Slot),
    /// Orders memory, which is never out of order here.
    Fence,
}

/// An operation, who runs it, and where it stands.
#[derive(Clone, Debug)]
pub struct Step {
    /// Lanes that run it; all where there is none.
    pub guard: Option<Predicate>,
    /// What it does.
    pub op: Op,
    /// Line of the PTX.
    pub line: u32,
}

/// A register that holds where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Special {
    Tid(usize),
    Ntid(usize),
    Ctaid(usize),
    Nctaid(usize),
    Lane,
    Warp,
}
