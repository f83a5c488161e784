//! Data sets: splits, the two on-disk layouts, loading.

pub mod qinit;
pub mod split;

pub use qinit::{QinitFrom, qinit};
pub use split::Split;
