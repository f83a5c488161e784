//! Naive `f64` twins of what the project computes: written from the definition, never optimised.

pub mod metric;
pub mod render;
