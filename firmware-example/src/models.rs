//! Models in flash.

/// The preset `edge`.
pub static EDGE: &[u8] = include_bytes!("../../core/models/edge.dref");
/// The preset `paper`.
pub static PAPER: &[u8] = include_bytes!("../../core/models/paper.dref");
/// The offset head of `edge` alone.
pub static HEAD: &[u8] = include_bytes!("../../core/models/head.dref");
