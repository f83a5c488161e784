//! A CUDA driver for tests, on a machine without a GPU.
pub mod api;
pub mod driver;
pub mod error;
pub mod machine;
pub mod memory;
pub mod module;
pub mod native;
pub mod ptx;
pub mod queue;
pub mod race;
