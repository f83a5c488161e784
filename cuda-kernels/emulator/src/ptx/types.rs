//! Types of operations, and what modifies them.

/// Type of an operation; `b` types count as unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Type {
    U8,
    S8,
    U16,
    S16,
    U32,
    S32,
    F32,
    U64,
    S64,
    F64,
}

impl Type {
    /// The type of that name, such as `f32`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "u8" | "b8" => Self::U8,
            "s8" => Self::S8,
            "u16" | "b16" => Self::U16,
            "s16" => Self::S16,
            "u32" | "b32" => Self::U32,
            "s32" => Self::S32,
            "f32" => Self::F32,
            "u64" | "b64" => Self::U64,
            "s64" => Self::S64,
            "f64" => Self::F64,
            _ => return None,
        })
    }

    /// Bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 | Self::S8 => 1,
            Self::U16 | Self::S16 => 2,
            Self::U32 | Self::S32 | Self::F32 => 4,
            Self::U64 | Self::S64 | Self::F64 => 8,
        }
    }

    /// Whether negative numbers are its own.
    pub fn signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Whether f32 or f64.
    pub fn float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// The type of twice the bits, of which wide products are.
    pub fn wide(self) -> Self {
        match self {
            Self::U16 => Self::U32,
            Self::S16 => Self::S32,
            Self::S32 => Self::S64,
            _ => Self::U64,
        }
    }
}

/// Rounding of a floating-point result, or of one to a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Round {
    /// To nearest, ties to even.
    #[default]
    Nearest,
    /// Towards zero.
    Zero,
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
}

/// What stands behind a floating-point opcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Rounding.
    pub round: Round,
    /// Subnormal inputs and results become zero.
    pub flush: bool,
    /// Results are clamped to 0..=1, NaN becomes 0.
    pub saturate: bool,
}
