//! Data sets: splits, the two on-disk layouts, loading.

pub mod split;

pub use split::Split;
