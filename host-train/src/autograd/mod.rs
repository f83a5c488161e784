//! Reverse-mode differentiation.

mod tape;

pub use tape::{Cost, Gradients, Tape, Var};
