//! PTX as text, as a tree, and as operations ready to run.
//!
//! Of the PTX ISA 9.x what nvcc emits for kernels of plain CUDA C++ (no calls, textures, clusters
//! or asynchronous copies); anything else is refused by name as a module is loaded.

pub mod decode;
pub mod operation;
pub mod parse;
pub mod slots;
pub mod token;
pub mod tree;
pub mod types;
