//! Kernels compiled for this processor: threads of a block are fibers, which take turns.
//!
//! | module | holds |
//! | --- | --- |
//! | [`build`] | makes the shared object out of the kernels' sources |
//! | [`library`] | the shared object, its kernels, its shared variables |
//! | [`fiber`] | stacks and switching between them |
//! | [`threads`] | the threads of a block, which take turns |
//! | `meet` | what they wait for: barriers, exchanges |
//! | [`signal`] | faults that the processor raises |

pub mod build;
pub mod fiber;
pub mod library;
mod meet;
pub mod signal;
pub mod threads;

pub use library::Native;
